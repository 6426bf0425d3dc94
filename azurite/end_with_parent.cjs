// Preloaded into Azurite by the tests: it ends when the pipe on its standard input closes, that is, when the tests do, even by being killed.
process.stdin.on("end", () => process.exit()).resume();
