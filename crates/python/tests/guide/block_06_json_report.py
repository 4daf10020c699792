from pacemark.benchmark.reporter import BenchmarkReporter

reporter = BenchmarkReporter(
    output_dir="data/benchmarks",
    include_system_info=True
)

# 生成JSON报告
report_path = reporter.generate_json_report(
    model_name="gpt2",
    latency_results=latency_results,
    memory_results=memory_results,
    throughput_results=throughput_results
)
print(f"Report saved to: {report_path}")
