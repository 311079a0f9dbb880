/** Where the NATS layer reports what a person should know: one line, no newline. Wired to the process's log by main. */
export type Say = (level: "debug" | "info" | "warn" | "error", line: string) => void;

export const saySilently: Say = () => {};
