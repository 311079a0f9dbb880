/** What `tocsin serve` is told on the command line. */
export interface ServeOptions {
  readonly config: string;
  readonly dataDir: string;
  readonly listen: string;
  /** Goes before the configuration's external_url. */
  readonly externalUrl?: string;
  readonly nats?: string;
  readonly logLevel: string;
  readonly version: string;
}
