/** A call as /api/v1/openapi.yaml describes it. */
export interface Call {
  readonly path: string;
  readonly methods: readonly ("get" | "post" | "put" | "delete" | "head")[];
  readonly tag: string;
  readonly summary: string;
  /** Names of PARAMETERS, one that must be given with "!" behind it. */
  readonly parameters?: readonly string[];
  /** Media types of a body that is no form. */
  readonly body?: readonly string[];
  /** Media type of the answer; JSON in Prometheus's envelope where not given. */
  readonly answers?: string;
  /** Status of success; 200 where not given. */
  readonly status?: 200 | 202 | 204;
  readonly data?: DataShape;
}

export type DataShape = "list" | "object" | "text" | "texts";
