// A client in JavaScript, with nothing but fetch: logs a run with a file and a model version, and finds them again.
import assert from "node:assert/strict";

const address = process.argv[2];
const api = `${address}/api/2.0/mlflow`;

async function call(method, path, body) {
  const query = method === "GET" && body ? `?${new URLSearchParams(body)}` : "";
  const answer = await fetch(`${api}/${path}${query}`, {
    method,
    headers: { "content-type": "application/json" },
    body: method === "GET" ? undefined : JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${said.error_code}: ${said.message}`);
  return said;
}

const { experiment_id } = await call("POST", "experiments/create", { name: "from node" });
const { run } = await call("POST", "runs/create", { experiment_id, start_time: Date.now(), run_name: "js" });
const run_id = run.info.run_id;
for (let step = 0; step < 5; step++) {
  await call("POST", "runs/log-metric", { run_id, key: "loss", value: 1 / (step + 1), timestamp: Date.now(), step });
}
await call("POST", "runs/log-batch", { run_id, params: [{ key: "lr", value: "0.1" }], tags: [{ key: "by", value: "node" }] });

const root = run.info.artifact_uri.replace("mlflow-artifacts:/", "");
const file = `${address}/api/2.0/mlflow-artifacts/artifacts/${root}/model/weights.json`;
assert.equal((await fetch(file, { method: "PUT", body: '{"w": [1, 2]}' })).status, 200);
assert.deepEqual(await (await fetch(file)).json(), { w: [1, 2] });

await call("POST", "registered-models/create", { name: "js model" });
const source = `${run.info.artifact_uri}/model`;
const { model_version } = await call("POST", "model-versions/create", { name: "js model", source, run_id });
await call("POST", "registered-models/alias", { name: "js model", alias: "champion", version: model_version.version });
const found = await call("GET", "registered-models/alias", { name: "js model", alias: "champion" });
assert.equal(found.model_version.run_id, run_id);

await call("POST", "runs/update", { run_id, status: "FINISHED", end_time: Date.now() });
const { runs } = await call("POST", "runs/search", { experiment_ids: [experiment_id], filter: "metrics.loss <= 0.2" });
assert.deepEqual(runs.map((one) => one.info.run_name), ["js"]);
await assert.rejects(call("GET", "runs/get", { run_id: "nope" }), /RESOURCE_DOES_NOT_EXIST/);
console.log("ok");
