// Marks the root; each version has its own: v*.mod (go build -modfile).
module beam/e2e/privval/node

go 1.25.0
