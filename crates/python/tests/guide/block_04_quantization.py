# 对比不同量化方式的内存占用
configs = [
    ModelConfig(model_name="gpt2-medium", quantization=None),
    ModelConfig(model_name="gpt2-medium", quantization="8bit"),
    ModelConfig(model_name="gpt2-medium", quantization="4bit"),
]

for config in configs:
    result = benchmark.measure_model_load(manager, config)
    print(f"{config.quantization or 'fp32'}: {result.memory_gb:.2f} GB")
