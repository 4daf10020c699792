from pacemark.benchmark.memory import MemoryBenchmark

benchmark = MemoryBenchmark(
    measure_peak=True,
    gc_before_measure=True
)

# 测量模型加载内存
load_result = benchmark.measure_model_load(model_manager, model_config)
print(f"Model Load: {load_result.memory_gb:.2f} GB")

# 测量推理内存
inference_result = benchmark.measure_inference(
    engine=inference_engine,
    prompt="Hello",
    output_length=100
)
print(f"Inference Memory: {inference_result.memory_delta_gb:.3f} GB")
print(f"Peak Memory: {inference_result.peak_memory_gb:.2f} GB")
