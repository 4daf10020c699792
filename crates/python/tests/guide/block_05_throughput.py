from pacemark.benchmark.throughput import ThroughputBenchmark

benchmark = ThroughputBenchmark(
    duration_seconds=60,
    tokens_per_request=100
)

# 单请求吞吐量
single_result = benchmark.measure_single_request(
    engine=inference_engine,
    prompts=test_prompts
)
print(f"Single Request: {single_result.tokens_per_second:.1f} tokens/s")

# 并发吞吐量
concurrent_result = benchmark.measure_concurrent(
    engine=inference_engine,
    prompts=test_prompts,
    num_concurrent=4
)
print(f"Concurrent (4): {concurrent_result.requests_per_second:.2f} req/s")

# 批处理吞吐量
batch_result = benchmark.measure_batch(
    engine=inference_engine,
    prompts=test_prompts,
    batch_size=8
)
print(f"Batch (8): {batch_result.total_tokens_per_second:.1f} tokens/s")
