"""One load from N Ray tasks: python load_ray.py N OUT.json --url http://host:8000 -c 8 -n 64 [any flags of `pacemark load`]

The flags are of each task: N tasks of 8 streams are a load of 8 N. PACEMARK names the binary on every machine."""
import os, pathlib, subprocess, sys, tempfile, time, ray

n, out, flags, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:], os.environ.get("PACEMARK", "pacemark")

@ray.remote(num_cpus=0, scheduling_strategy="SPREAD")
def worker(i, at):
    file = pathlib.Path(tempfile.mkdtemp(), f"worker-{i}.json")
    subprocess.run([program, "load", *flags, "--seed", str(i), "--start-at", str(at), "--no-history", "--save", str(file)], stdout=subprocess.DEVNULL)
    return file.read_bytes()

ray.init()
folder, begin = pathlib.Path(tempfile.mkdtemp()), time.time() + 15  # warmed up by then; all machines' clocks agree by NTP
files = [folder / f"worker-{i}.json" for i in range(n)]
for file, record in zip(files, ray.get([worker.remote(i, begin) for i in range(n)])):
    file.write_bytes(record)
sys.exit(subprocess.run([program, "merge", *map(str, files), "--save", out]).returncode)
