# 测试不同输入长度的性能
input_lengths = [128, 512, 1024, 2048]

for length in input_lengths:
    prompt = "x " * (length // 2)  # 生成指定长度的输入
    results = benchmark.run(engine, [prompt], output_length=100)
    print(f"Input {length}: {results.tokens_per_second:.1f} tokens/s")
