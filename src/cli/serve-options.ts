/** What `tocsin serve` is told on the command line. */
export interface ServeOptions {
  readonly config: string;
  readonly dataDir: string;
  readonly listen: string;
  readonly nats?: string;
  readonly logLevel: string;
  readonly version: string;
}
