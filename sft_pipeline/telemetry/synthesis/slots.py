"""The words that fill the templates.

Belongs here: invented names of things in code. Does not belong here: sentences (requests, answers).
"""

SLOTS: dict[str, tuple[str, ...]] = {
    "symbol": (
        "parseConfig", "load_rows", "TokenCache", "retry_count", "useSession", "renderTree", "flushQueue",
        "OrderId", "mergeDeltas", "acquire", "toUtc", "build_index", "Scheduler.tick", "sanitize", "resolvePath",
        "ledgerTotal", "onMessage", "write_batch", "computeHash", "normalize_name", "fetchPage", "StateStore",
        "isExpired", "rebalance",
    ),
    "symbol2": (
        "readSettings", "loadRecords", "SessionCache", "attempts", "withSession", "drawTree", "drain", "OrderKey",
        "applyDeltas", "tryAcquire", "asUtc", "make_index", "Scheduler.step", "escape", "canonicalPath", "balance",
        "handleMessage", "write_chunk", "digest", "clean_name", "nextPage", "Store", "hasEnded", "spread_load",
    ),
    "file": (
        "src/app/config.ts", "server/scheduler.py", "lib/cache.rs", "internal/queue/worker.go", "web/src/Table.tsx",
        "Services/OrderService.cs", "api/routes/users.py", "pkg/auth/token.go", "core/parser.cpp",
        "app/models/invoice.rb", "src/main/java/com/example/Ledger.java", "scripts/deploy.sh",
        "tests/test_import.py", "db/migrations/0042.sql", "packages/ui/button.vue", "Sources/App/Router.swift",
        "docs/setup.md", "infra/main.tf", "notebooks/report.ipynb",
    ),
    "folder": (
        "src/core", "tests/unit", "packages/ui", "server", "internal/store", "web/components", "tools", "api/v2",
        "services/billing", "libs/shared", "build", "examples", "migrations", "app/jobs",
    ),
    "tool": (
        "pytest", "npm test", "cargo build", "eslint", "make", "dotnet test", "go vet", "ruff", "prettier",
        "gradle", "tox", "docker compose up", "terraform plan", "mvn verify",
    ),
    "library": (
        "pandas", "react-query", "tokio", "SQLAlchemy", "lodash", "FastAPI", "Redux", "gRPC", "Spring Boot",
        "Django", "zod", "Entity Framework", "Celery", "Kafka", "OpenTelemetry", "pydantic", "axum", "Prisma",
    ),
    "feature": (
        "login", "invoice export", "search", "user import", "billing", "notifications", "file upload", "audit log",
        "checkout", "report", "comments", "rate limiting", "permissions", "dark mode", "undo", "autosave",
        "webhooks", "onboarding",
    ),
    "component": (
        "scheduler", "message queue", "sidebar", "order service", "cache layer", "date picker", "worker pool",
        "API gateway", "event bus", "data grid", "session store", "sync engine", "indexer", "toolbar",
        "payment client", "log shipper",
    ),
    "event": (
        "the connection drops", "two users save at once", "the list is empty", "the clock jumps back",
        "a worker restarts", "the token has expired", "the file is larger than 2 GB", "the user presses Escape",
        "the cache is cold", "the response is \"null\"", "a message arrives twice", "the disk is full",
        "the tab is in the background", "the name contains an apostrophe (O'Neil)", "the request is cancelled",
        "the leader changes",
    ),
    "error": (
        "TypeError: Cannot read properties of undefined (reading 'id')", "KeyError: 'amount'", "ECONNRESET",
        "error[E0502]: cannot borrow `*self` as mutable", "NullReferenceException",
        "IndexError: list index out of range",
        "SyntaxError: Unexpected token '<', \"<!DOCTYPE\"... is not valid JSON", "deadlock detected",
        "exit code 137", "AssertionError: 41 != 42", "ModuleNotFoundError: No module named 'core'", "CS0246",
        "timeout of 5000ms exceeded",
    ),
    "word": (
        "order", "name", "region", "status", "amount", "owner", "label", "path", "price", "token", "cursor",
        "tenant", "batch", "locale", "version", "größe", "prénom", "名前",
    ),
    "word2": (
        "customer", "title", "country", "state", "total", "author", "tag", "url", "rate", "key", "offset",
        "account", "group", "language", "revision", "länge", "âge", "住所",
    ),
    "number": (
        "2", "3", "5", "8", "10", "12", "20", "24", "30", "42", "50", "64", "100", "120", "250", "500", "900",
        "1000",
    ),
    "number2": (
        "4", "6", "7", "9", "11", "15", "21", "27", "36", "48", "55", "75", "110", "160", "300", "640", "1024",
    ),
    "digit": tuple("0123456789"),
}  # fmt: skip

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
INVENTED: dict[str, tuple[str, int]] = {
    "secret12": (LETTERS, 12),
    "secret16": (LETTERS, 16),
    "secret36": (LETTERS, 36),
    "secret40": (LETTERS, 40),
    "upper16": (UPPER, 16),
}
"""Slots that are filled with random characters: alphabet, length."""
