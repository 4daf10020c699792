from pacemark.benchmark.latency import LatencyBenchmark

benchmark = LatencyBenchmark(
    warmup_runs=3,
    test_runs=10
)

# 运行测试
results = benchmark.run(
    engine=inference_engine,
    prompts=["Hello, how are you?"],
    output_length=100
)

print(f"TTFT: {results.ttft_ms:.2f} ms")
print(f"Tokens/s: {results.tokens_per_second:.1f}")
print(f"E2E Latency: {results.e2e_latency_ms:.2f} ms")
