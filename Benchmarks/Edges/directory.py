# SPDX-License-Identifier: Apache-2.0
"""What a tunnel takes in Redis: the keys of one that is there, copied for many."""
import subprocess

READ = {"string": ("GET",), "hash": ("HGETALL",), "set": ("SMEMBERS",), "zset": ("ZRANGE", "0", "-1", "WITHSCORES")}


def entries(redis, name):
    """The commands that would make what Redis holds of a tunnel, each as words in which the name stands for itself.

    Keys are named for the tunnel, or are lists of tunnels.
    """
    found = []
    for key in sorted(redis.ask("--scan", "--pattern", "cv:*").split()):
        kind = redis.ask("TYPE", key).strip()
        read, *options = READ[kind]
        values = redis.ask(read, key, *options).splitlines()
        pairs = list(zip(values[::2], values[1::2]))
        if name in key:
            life = int(redis.ask("PTTL", key))
            if kind == "string":
                found.append(["SET", key, values[0]])
            elif kind == "hash":
                found.append(["HSET", key, *values])
            elif kind == "set":
                found.append(["SADD", key, *values])
            else:
                found.append(["ZADD", key, *(word for member, score in pairs for word in (score, member))])
            if life > 0:
                found.append(["PEXPIRE", key, str(life)])
        elif kind == "set" and name in values:
            found.append(["SADD", key, name])
        elif kind == "zset":
            found += [["ZADD", key, score, member] for member, score in pairs if member == name]
        elif kind == "hash":
            found += [["HSET", key, field, value] for field, value in pairs if field == name]
    return found


def used(redis):
    """What Redis has allocated, in bytes."""
    lines = redis.ask("INFO", "memory").splitlines()
    return next(int(line.split(":")[1]) for line in lines if line.startswith("used_memory:"))


def fill(redis, name, count):
    """Copies a tunnel for so many names of the same length, and says how many bytes each takes."""
    commands, before = entries(redis, name), used(redis)
    with subprocess.Popen(["redis-cli", "-p", str(redis.port), "--pipe"], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as pipe:
        for number in range(count):
            other = f"{number:0{len(name)}}"
            for words in commands:
                coded = [word.replace(name, other).encode() for word in words]
                pipe.stdin.write(b"*%d\r\n" % len(coded) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word), word) for word in coded))
        pipe.stdin.close()
    return (used(redis) - before) / count, [words[:2] for words in commands]
