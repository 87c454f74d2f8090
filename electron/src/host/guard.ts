// Binds each call and command of a browser to the allowed folders, also what a call reaches by way of a file or an id.
import { join } from "node:path";
import type { MethodName } from "../generated/contract.js";
import type { CommandName } from "../shared/api.js";
import type { Guard } from "../main/ipc.js";
import { AppFault, resultOf } from "../main/outcomes.js";
import type { SidecarClient } from "../main/sidecar-client.js";
import type { Boundary } from "./boundary.js";
import { checkLinks } from "./links.js";

type Params = Record<string, unknown>;

/** Commands whose text is no path, whatever it looks like. */
const FREE: ReadonlySet<CommandName> = new Set(["app/describe", "settings/read", "logs/tail", "sidecar/restart"]);

export class FolderGuard implements Guard {
  /** Tables whose recordings were looked at; their ids are never used twice. */
  private readonly safeTables = new Set<string>();

  constructor(
    private readonly boundary: Boundary,
    private readonly client: Pick<SidecarClient, "call">,
  ) {}

  async call(method: MethodName, params: Params): Promise<Params> {
    this.boundary.checkAll(params);
    if (params["delivery"] === "file") throw new AppFault("refused", "Files of the server cannot be delivered to a browser.", "Ask for inline delivery.");
    if (params["config"] !== undefined && method !== "config/save") await checkLinks(params["config"], this.boundary);
    if (typeof params["jobId"] === "string") await this.checkJob(params["jobId"]);
    if (method === "jobs/resume") await this.checkConfigOf(params);
    if (method === "inference/run" && typeof params["configPath"] === "string") return this.withLoadedConfig(params, params["configPath"]);
    if (method === "config/validate" && typeof params["path"] === "string") await this.loadConfig(params["path"]);
    if (this.readsRecordingsOfTable(method, params)) await this.checkTable(String(params["scoresId"]));
    return params;
  }

  async command(name: CommandName, params: Params): Promise<void> {
    if (FREE.has(name) || (name === "files/list" && !params["folder"])) return;
    const { lastPage: _, ...changes } = (params["changes"] ?? {}) as Params;
    this.boundary.checkAll({ ...params, changes });
  }

  private readsRecordingsOfTable(method: MethodName, params: Params): boolean {
    if (typeof params["scoresId"] !== "string") return false;
    return method === "detections/export" || (method === "detections/sample" && params["render"] != null);
  }

  private async checkJob(jobId: string): Promise<void> {
    this.boundary.check(resultOf(await this.client.call("jobs/get", { jobId })).jobFolder);
  }

  /** A job folder's config says what is read when the job goes on. */
  private async checkConfigOf(params: Params): Promise<void> {
    let folder = params["jobFolder"];
    if (typeof params["jobId"] === "string") folder = resultOf(await this.client.call("jobs/get", { jobId: params["jobId"] })).jobFolder;
    if (typeof folder === "string") await this.loadConfig(join(folder, "config.json"));
  }

  /** The config that was looked at is the one that is run, whatever becomes of its file meanwhile. */
  private async withLoadedConfig(params: Params, path: string): Promise<Params> {
    const { configPath: _, ...others } = params;
    return { ...others, config: await this.loadConfig(path) };
  }

  private async loadConfig(path: string): Promise<unknown> {
    const { config } = resultOf(await this.client.call("config/load", { path }));
    this.boundary.checkAll(config);
    await checkLinks(config, this.boundary);
    return config;
  }

  /** A table may name any recording: none outside is read for it. */
  private async checkTable(scoresId: string): Promise<void> {
    if (this.safeTables.has(scoresId)) return;
    const { groups } = resultOf(await this.client.call("scores/summary", { scoresId, by: "file" }));
    for (const { key } of groups) if (key !== null) this.boundary.check(key);
    this.safeTables.add(scoresId);
  }
}
