# 运行多次测试
all_results = []
for _ in range(5):
    result = benchmark.run(engine, prompts, output_length=100)
    all_results.append(result)

# 计算平均值
avg_tps = sum(r.tokens_per_second for r in all_results) / len(all_results)
