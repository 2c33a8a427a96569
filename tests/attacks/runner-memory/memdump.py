import os

worker = os.environ["WORKER"]
start = int(open(f"/proc/{worker}/maps").readline().split("-")[0], 16)
with open(f"/proc/{worker}/mem", "rb") as memory:
    memory.seek(start)
    print(len(memory.read(64)))
