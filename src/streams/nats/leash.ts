import { type ChildProcess, spawn } from "node:child_process";

/**
 * Runs a program that must not outlive this process, not even when this process is killed with SIGKILL.
 *
 * A shell starts a watcher in the background and then becomes the program (same process id). The watcher reads a pipe
 * whose other end only this process holds: at its end (this process is gone) it stops the program, first with SIGTERM,
 * after some seconds with SIGKILL; a line on it means that the program has already ended.
 *
 * The program runs in a session of its own, so that Ctrl-C in the terminal reaches only this process, which stops the
 * program when it is done with it.
 */
const WATCH = `
exec 3<&0 </dev/null
(
  trap '' TERM INT HUP
  if read -r ended <&3; then exit 0; fi
  kill -TERM $$ 2>/dev/null
  n=0
  while [ $n -lt 50 ]; do
    case $(cat /proc/$$/stat 2>/dev/null) in "" | *") Z "*) exit 0 ;; esac
    sleep 0.1
    n=$((n + 1))
  done
  kill -KILL $$ 2>/dev/null
) >/dev/null 2>&1 &
exec "$@" 3<&-
`;

/** Standard output and error are pipes; `pid` is the program's own. */
export function spawnOnLeash(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn("/bin/sh", ["-c", WATCH, "tocsin-leash", file, ...args], {
    env: { ...env, ...process.env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  child.stdin?.on("error", () => {});
  child.once("exit", () => child.stdin?.end("ended\n"));
  return child;
}
