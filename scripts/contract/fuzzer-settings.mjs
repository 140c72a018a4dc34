// What the fuzzer is told beside the document: names under which there is something, and which errors of the server's
// side are no findings. Those are the ones that an operation declares, but for 500.

const methods = ["get", "post", "put", "patch", "delete"];

/** Of these, any status may be a model server's own, and a 500 of the gateway is found by its body. */
const serversOwn = ["/models/{model}/tasks/{task}", "/models/{model}/{path}"];

/** The settings as TOML. `known` are values by the names of parameters. */
export function fuzzerSettings(document, known) {
  const lines = ["[dictionaries]"];
  for (const [name, values] of Object.entries(known))
    lines.push(`${name} = { values = ${JSON.stringify(values)} }`);
  lines.push("", "[parameters]");
  for (const name of Object.keys(known))
    lines.push(`"path.${name}" = { dictionary = "${name}", probability = 0.6 }`);
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const method of methods.filter((each) => operations[each] !== undefined)) {
      const declared = Object.keys(operations[method].responses).filter((each) => /^5\d\d$/.test(each));
      const errors = serversOwn.includes(path) ? ["5XX"] : declared.filter((each) => each !== "500");
      lines.push(
        "",
        "[[operations]]",
        `include-path = ${JSON.stringify(path)}`,
        `include-method = "${method.toUpperCase()}"`,
        `checks.not_a_server_error.expected-statuses = ${JSON.stringify(["2XX", "3XX", "4XX", ...errors])}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
