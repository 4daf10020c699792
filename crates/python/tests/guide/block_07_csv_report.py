# 生成CSV报告（适合数据分析）
csv_path = reporter.generate_csv_report(
    model_name="gpt2",
    results=all_results
)
