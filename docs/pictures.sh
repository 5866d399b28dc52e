#!/usr/bin/env bash
# Draws the gallery of docs/export.md and docs/talk.md: runs the commands that are written there. From the repository's root.
set -eu
rm -rf docs/pictures/backward docs/pictures/model-backward
grep -hoE '`microgpt-tui export [^`]*docs/pictures[^`]*`' docs/export.md docs/talk.md 2>/dev/null | tr -d '`' | sort -u | while read -r line; do
  echo "$line"
  eval ".venv/bin/$line --overwrite"
done
