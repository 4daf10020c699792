benchmark = LatencyBenchmark(
    warmup_runs=3,  # 至少3次预热
    test_runs=10
)
