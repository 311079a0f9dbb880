import { execFile } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Runs a program without a shell. Rejects with its last line of error output when it fails or takes too long. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      {
        cwd: options.cwd,
        timeout: options.timeoutMs,
        killSignal: "SIGKILL",
        maxBuffer: 16 << 20,
        env: { ...process.env, LC_ALL: "C" },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) resolve({ stdout, stderr });
        else reject(new Error(`${file}: ${lastLine(stderr) ?? error.message}`, { cause: error }));
      },
    );
  });
}

function lastLine(text: string): string | undefined {
  const lines = text.split("\n").filter((l) => l.trim() !== "");
  return lines.findLast((l) => /^E:/.test(l)) ?? lines.at(-1);
}
