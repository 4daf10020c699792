"""One load from N Ray tasks: python load_ray.py N OUT.json --url http://host:8000 -c 8 -n 64 [any flags of `pacemark load`]

The flags are of each task: N tasks of 8 streams are a load of 8 N. PACEMARK names the binary on every machine."""
import os, pathlib, shutil, subprocess, sys, tempfile, time, ray

n, out, flags, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:], os.environ.get("PACEMARK", "pacemark")

@ray.remote(num_cpus=0, scheduling_strategy="SPREAD")
def worker(i, at):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, f"worker-{i}.json")
        command = [program, "load", *flags, "--seed", str(i), "--start-at", str(at), "--no-history", "--save", str(file)]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return file.read_bytes() if file.exists() else None, ended.returncode, ended.stderr[-2000:]

ray.init()
begin = time.time() + 15  # warmed up by then; all machines' clocks agree by NTP
with tempfile.TemporaryDirectory() as folder:
    files, failed = [], False
    for i, (record, code, words) in enumerate(ray.get([worker.remote(i, begin) for i in range(n)])):
        if record is not None:
            files.append(pathlib.Path(folder, f"worker-{i}.json"))
            files[-1].write_bytes(record)
        if code != 0:
            failed = True
            print(f"task {i} ended with {code}: {words}", file=sys.stderr)
    if len(files) == 1:
        shutil.copy(files[0], out)
    elif files:
        failed |= subprocess.run([program, "merge", *map(str, files), "--save", out]).returncode != 0
    sys.exit(1 if failed or not files else 0)
