"""What invented people ask: templates by difficulty, details to add to them, and button texts.

Belongs here: the wording of user messages. Does not belong here: how often each is drawn, escaping, lengths.
Slots in braces are filled from `slots.SLOTS`.
"""

SIMPLE = (
    "rename {symbol} to {symbol2}",
    "Rename the variable `{symbol}` to `{symbol2}` in {file}",
    "add a docstring to {symbol}()",
    "fix the typo in the {feature} message",
    "what does `{symbol}` do?",
    "Remove the unused imports from {file}.",
    "sort the imports in {file} please",
    "change the default timeout to {number} seconds",
    "Format {file} with {tool}",
    "add a .gitignore entry for {folder}",
    'replace "{word}" by "{word2}" in the README',
    "bump {library} to the newest patch version",
    "add a log line when {event}",
    "how do I run only the {feature} tests?",
    "delete the commented-out code at the bottom of {file}",
    "make {symbol} private",
    "commit this with a good message",
    "write a unit test for {symbol}",
    "Add type hints to `{symbol}` in {file}, nothing else",
    "increase the font size of the {component} header to {number}px",
    "convert this to an f-string: `'%s/%s' % (root, {symbol})`",
    "open {file} and tell me which line sets {symbol}",
    "why is there a red squiggle under {symbol}? 🤔",
    "put the {component} button on the right side",
    "Benenne {symbol} in {symbol2} um",
    "Füge {symbol} einen Docstring hinzu, bitte auf Deutsch.",
    "cambia el nombre de {symbol} a {symbol2} en {file}",
    "ajoute un commentaire au-dessus de `{symbol}` 🙂",
    "{file} の未使用の import を削除してください",
    "把 {symbol} 重命名为 {symbol2}",
    "исправь опечатку в {file}",
    "renomeie {symbol} para {symbol2} e rode os testes",
)

MODERATE = (
    "Add pagination to the {feature} endpoint, {number} items a page, and cover it with tests",
    "The {component} does not update when {event}. Find out why and fix it.",
    "extract the {feature} logic out of {file} into its own module and update all callers",
    "Write an integration test for {feature} that starts the {component} with a temporary database",
    "I get `{error}` when I run {tool}. It worked before I upgraded {library}. Can you fix it?",
    "Implement `{symbol}` so that it retries {number} times with exponential backoff and jitter",
    "Add a {feature} page to the settings, with validation, same look as the {component}",
    "convert {file} from callbacks to async/await without changing behaviour",
    "Replace {library} by the standard library in {folder}; keep the public functions as they are",
    "our CI fails with `{error}` but only on Windows (path is C:\\agent\\{folder}\\_work). please have a look",
    "Make the {feature} export stream its rows, at the moment it loads everything into memory",
    "Add caching to {symbol}: key is the {word} id, invalidate when {event}",
    'Parse this with a proper parser instead of the regex `^\\s*(\\w+)\\s*=\\s*"(.*)"$` in {file}',
    "write a migration that splits the {word} column into {word} and {word2}, with a way back",
    "The {feature} tests are flaky, about one in {number} runs fails with {error}. Make them deterministic.",
    "add a command line option --{word} to {tool} that limits the output to {number} rows and document it",
    "Refactor `{symbol}`: it has {number} branches. Split it up and keep the tests green.",
    "Use the {component} everywhere instead of the three copies we have in {folder}",
    "add role checks to {feature}: only admins may call {symbol}",
    'Translate all strings of the {component} to German; the key style is "{word}.{word2}.title"',
    "Schreibe Tests für {file}, besonders für den Fall, dass {event}",
    "Le test de {feature} échoue avec « {error} », peux-tu le corriger ?",
    "El endpoint de {feature} devuelve `{error}` cuando {event}; arréglalo y añade una prueba",
    "{feature} のテストが {error} で失敗します。原因を調べて修正してください。",
    "给 {feature} 接口加上分页、每页 {number} 条、并补充单元测试",
    "добавь кэширование в {symbol} и тест на истечение срока",
    "adicione validação ao formulário de {feature}; os erros devem aparecer ao lado do campo",
)

HARD = (
    "There is a race in the {component}: sometimes when {event} two workers take the same job. Find the race, "
    "explain it and redesign the scheduler so that it cannot happen, without a global lock.",
    "Memory of the {component} grows by about {number} MB an hour until it is killed. Profile it, find the "
    "leak and prove with a test that it is gone.",
    "Design the {feature} for multiple tenants: isolation, quotas, migration of the existing data without "
    "downtime. Start with a plan, then implement step by step.",
    "We need to move {feature} from {library} to an event-sourced model. Keep the API stable, write the "
    "projections, and make the replay idempotent.",
    "p99 of {symbol} went from {number} ms to more than a second after the last release, only under load. Work"
    " out why and fix it; I suspect lock contention or the {library} upgrade, but I am not sure.",
    "Implement an incremental version of the {component}: only what changed since the last run may be "
    "recomputed, also when {event}. Correctness first: it must give the same answer as a full run.",
    "Our distributed lock in {file} is wrong: after a pause of {number} s the old owner still writes. Redesign"
    " it with fencing tokens and show that every write path checks them.",
    "Write a parser and an optimizer for the {word} expressions: precedence, constant folding, common "
    "subexpressions, error messages with positions. No dependencies.",
    "The numbers of {feature} and of the {component} differ by {number} cents for some customers. Trace every "
    "rounding step from {file} to the report, find where they part and fix the cause, not the symptom.",
    "Make {feature} work offline: local queue, conflict resolution when two devices edit the same {word}, and "
    "tests that simulate every order of arrival.",
    "Review the security of {feature} end to end: token storage, replay, {word} injection in {file}, timing. "
    "Rank what you find and fix the three worst.",
    "Port {folder} from {library} to Rust with the same public interface, benchmark both, and explain every "
    "place where the semantics differ.",
    "Finde heraus, warum der {component} unter Last Nachrichten doppelt verarbeitet, wenn {event}, und entwirf"
    " eine Lösung mit genau einmaliger Wirkung.",
    "Conçois une stratégie de reprise pour {feature} : que se passe-t-il si le processus meurt entre deux "
    "écritures ? Implémente-la et teste chaque point de panne.",
    "Diseña un esquema de particiones para {feature} que aguante {number} veces la carga actual y migra los "
    "datos sin parada.",
    "{component} のデッドロックを調査し、原因を説明した上で、ロックの順序に依存しない設計に変更してください。",
    "分析 {component} 的死锁问题 当 {event} 时会卡住。请找出原因并重新设计、不能使用全局锁。",
    "спроектируй отказоустойчивую очередь для {feature}: порядок, повторная доставка, идемпотентность; затем реализуй",
)

FOLLOW_UPS = (
    "now run the tests",
    "yes, do it",
    "ok go ahead ✔",
    "still fails with `{error}`",
    "undo that, it broke {feature}",
    "same for {symbol2}",
    "also add tests",
    "no, I meant the one in {file}",
    "Looks good. Commit it.",
    "why did you change {file}?",
    "use {library} instead",
    "that works, thanks! now do the same for {component}",
    "keep the old name `{symbol}`, we need it for {library}",
    "please don't touch {folder}",
    "shorter please",
    "explain the second step",
    "Can you also handle the case that {event}?",
    "it still happens when {event}",
    "what about {symbol}?",
    "revert the last change in {file} and try another way",
    "Now document it in the README, {number} lines at most.",
    "the button is not clickable any more :-(",
    "und jetzt bitte die Tests",
    "ja, mach weiter",
    "oui, et ajoute aussi {symbol}",
    "sí, pero sin tocar {file}",
    "はい、お願いします",
    "继续、把 {file} 也改了",
    "не работает: {error}",
    "agora faça o mesmo em {folder}",
    "is this thread safe when {event}?",
    "compare both ways and tell me which one you would take for {feature}",
)

DETAILS = (
    "It should not change the public API.",
    "Keep it simple.",
    "The relevant code is in {file}, look for `{symbol}`.",
    "See also {folder}/README.md.",
    "This happens only when {event}.",
    "I already tried to clear the cache of {tool}, that did not help.",
    "Expected: {number}, actual: {number2}.",
    "The customer sees “{word} {word2}” instead of the name.",
    "Python {number}, {library} latest, on \\\\fileserver\\{folder}\\builds.",
    "Use {library} if you need to.",
    "Please explain what you changed and why.",
    "Do not add new dependencies.",
    "We have about {number} thousand {word} records.",
    "\n- {symbol} must stay fast\n- {file} is generated, do not edit it\n- tests go to {folder}",
    "\n```python\ndef {symbol}(rows) -> int:\n    return sum(r[\"{word}\"] for r in rows if r['{word2}'])\n```\n",
    '\n```ts\nexport const {symbol} = (s: string) => s.replace(/\\\\/g, "/") ?? "{word}";\n```\n',
    '\n```json\n{"name": "{word}", "path": "C:\\\\src\\\\{folder}", "limit": {number}}\n```\n',
    '\nTraceback (most recent call last):\n  File "{file}", line {number}, in {symbol}\n{error}\n',
    "\n\tat {symbol}({file}:{number})\n\tat {symbol2}({file}:{number2})\n",
    "\n\u001b[31mFAIL\u001b[0m {folder} > {feature} > {symbol} ({number} ms)\n",
    "2026-10-2{digit} 0{digit}:1{digit}:0{digit} WARN  [{component}] {event} after {number} ms, retry {digit}/5\n",
    "Die Datei {file} ist nur ein Beispiel, überall sonst genauso.",
    "注意 {file} 是自动生成的。",
    "line one\u2028line two of the pasted note",
    'Zero\u200bwidth characters and quotes ("\\") must survive.',
)

SECRETS = (
    " The token is ghp_{secret36}.",
    " use AKIA{upper16} and {secret40}",
    " mail me at {word}.{word2}@example.com when it is done",
    ' (password: "{secret12}!", don\'t commit it)',
    " connection string: Server=tcp:db.example.net;User ID=app;Password={secret16};",
    " Authorization: Bearer {secret40}.{secret36}",
)

SECRET_MARKS = ("ghp_", "AKIA", "@example.com", "password: ", "Password=", "Bearer ")
"""What tells each kind of secret."""

BUTTONS = ("Continue", "Continue to iterate?", '@agent Continue: "Continue to iterate?"', "Try Again", "Switch to Auto")
BUTTON_AFTER = ("maxToolCalls", "maxToolCalls", "maxToolCalls", "failed", "rateLimited")
"""How the turn before each button ended."""
BUTTON_WEIGHTS = (0.2, 0.1, 0.1, 0.3, 0.3)

BLANKS = ("   ", "\u200b", "\n\t ", "\u2060\ufeff", " \u200d \u3000")
"""What a person would not see."""
