import yaml

with open("config/benchmark.yaml") as f:
    config = yaml.safe_load(f)

prompts = config["test_prompts"]["medium"]
results = benchmark.run(engine, prompts, output_length=100)
