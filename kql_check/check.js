// Reads KQL files with Microsoft's parser and tells what it has to say of them.
//
//   node check.js [--schema] FILE_OR_FOLDER... < schema.json
//
// schema.json: {"<table>": {"<column>": "<Kusto type>"}}. Prints `file:line:column message` per diagnostic and exits 1
// when there is any, 2 on wrong usage. --schema prints the result columns of each file instead of the summary, a JSON
// object per line.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";

const PARSER = ["bridge.min.js", "Kusto.Language.Bridge.min.js"];

function loadParser() {
  const require = createRequire(import.meta.url);
  for (const script of PARSER) {
    const file = require.resolve(`@kusto/language-service-next/${script}`);
    vm.runInThisContext(fs.readFileSync(file, "utf8"), { filename: file });
  }
  return globalThis.Kusto.Language;
}

/** What a query may name: one database with these tables. */
function globalsOf(language, tables) {
  const { TableSymbol, DatabaseSymbol } = language.Symbols;
  const symbols = Object.entries(tables).map(([name, columns]) => {
    const told = Object.entries(columns).map(([column, kind]) => `${column}:${kind}`);
    return TableSymbol.From(`(${told.join(", ")})`).WithName(name);
  });
  return language.GlobalState.Default.WithDatabase(new DatabaseSymbol.$ctor1("telemetry", symbols));
}

function queryFiles(place) {
  if (!fs.statSync(place).isDirectory()) return [place];
  return fs
    .readdirSync(place, { recursive: true })
    .filter((name) => name.endsWith(".kql"))
    .map((name) => path.join(place, name))
    .sort();
}

/** 1-based line and column of an offset. */
function position(text, offset) {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1).length + 1}`;
}

function elements(list) {
  return Array.from({ length: list.Count }, (_, index) => list.getItem(index));
}

function analyzed(language, globals, file) {
  const text = fs.readFileSync(file, "utf8");
  const code = language.KustoCode.ParseAndAnalyze(text, globals);
  const told = elements(code.GetDiagnostics()).map(
    (found) => `${file}:${position(text, found.Start)} ${found.Severity} ${found.Code}: ${found.Message}`,
  );
  return { told, columns: code.ResultType?.Columns ? elements(code.ResultType.Columns) : [] };
}

function main(words) {
  const places = words.filter((word) => word !== "--schema");
  if (places.length === 0 || places.some((word) => word.startsWith("-"))) {
    console.error("usage: node check.js [--schema] FILE_OR_FOLDER... < schema.json");
    return 2;
  }
  const missing = places.find((place) => !fs.existsSync(place));
  if (missing) {
    console.error(`there is no file or folder ${missing}`);
    return 2;
  }
  const language = loadParser();
  const globals = globalsOf(language, JSON.parse(fs.readFileSync(0, "utf8")));
  const files = places.flatMap(queryFiles);
  let diagnostics = 0;
  for (const file of files) {
    const { told, columns } = analyzed(language, globals, file);
    told.forEach((line) => console.log(line));
    diagnostics += told.length;
    if (places.length < words.length) {
      const kinds = Object.fromEntries(columns.map((column) => [column.Name, column.Type.Name]));
      console.log(JSON.stringify({ file, columns: kinds }));
    }
  }
  if (places.length === words.length) console.log(`${files.length} queries, ${diagnostics} diagnostics`);
  return diagnostics > 0 || files.length === 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
