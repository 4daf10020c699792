from pacemark.benchmark.reporter import validate_targets

# 验证结果是否满足目标
validation = validate_targets(
    model_name="gpt2",
    results=benchmark_results,
    targets=config["targets"]["gpt2"]
)

if validation.passed:
    print("All targets met!")
else:
    for failure in validation.failures:
        print(f"Failed: {failure.metric} = {failure.actual} (target: {failure.target})")
