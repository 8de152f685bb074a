"""How the page of a proof looks: light, dark, narrow and printed.

Rules of this file:
- One style sheet inside the page; no fonts, scripts or pictures from elsewhere.
- A verdict is never colour alone: each has its sign and its word.
"""

STYLE = """
:root { color-scheme: light dark;
  --paper: #fff; --ink: #1b1f24; --dim: #57606a; --line: #d0d7de; --soft: #f6f8fa;
  --pass: #116329; --pass-soft: #dafbe1; --fail: #a40e26; --fail-soft: #ffebe9;
  --inconclusive: #7d4e00; --inconclusive-soft: #fff8c5; }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #0d1117; --ink: #e6edf3; --dim: #9198a1; --line: #3d444d; --soft: #151b23;
  --pass: #56d364; --pass-soft: #12261e; --fail: #ff8e86; --fail-soft: #3a1517;
  --inconclusive: #e3b341; --inconclusive-soft: #2e2409; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3, h4 { font-size: 1rem; margin: 1.5rem 0 .25rem; overflow-wrap: anywhere; }
h4 { font-size: .9rem; } .file > h2 { border-bottom: 2px solid var(--line); overflow-wrap: anywhere; }
a { color: inherit; } p { margin: .3rem 0; }
.banner { border: 2px solid; border-radius: .5rem; padding: .8rem 1rem; font-size: 1.15rem; font-weight: 600; }
.banner .sign { display: inline-block; width: 1.6rem; }
.dim { color: var(--dim); } .small { font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0; }
caption { text-align: left; color: var(--dim); font-size: .85rem; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; }
thead th { background: var(--soft); }
td.number { text-align: right; } td.ray { white-space: nowrap; }
code { font: .8rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .inconclusive { color: var(--inconclusive); }
td.pass, .banner.pass { background: var(--pass-soft); } td.fail, .banner.fail { background: var(--fail-soft); }
td.inconclusive, .banner.inconclusive { background: var(--inconclusive-soft); }
.matrix th { font-weight: 500; } .matrix td { text-align: center; font-weight: 700; min-width: 2.2rem; }
.matrix thead a { display: block; text-align: center; }
.matrix tbody th { overflow-wrap: anywhere; min-width: 11rem; }
ul { padding-left: 1.2rem; } li { margin: .25rem 0; overflow-wrap: anywhere; }
td.none { color: var(--dim); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; padding: .5rem; background: var(--soft);
  border: 1px solid var(--line); border-radius: .25rem; font: .8rem/1.4 ui-monospace, monospace; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; break-inside: avoid; } figure img { width: 100%; border: 1px solid var(--line); }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.timeline { width: 100%; height: auto; } .timeline text { fill: var(--ink); font-size: 12px; }
.timeline .tick, .timeline .end { fill: var(--dim); font-size: 11px; } .timeline .tick { text-anchor: middle; }
.timeline .tick.first { text-anchor: start; }
.timeline rect.pass { fill: var(--pass); } .timeline rect.fail { fill: var(--fail); }
.timeline rect.inconclusive { fill: var(--inconclusive); } .timeline .mark { stroke: var(--line); stroke-width: .6; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; }
  tr, .banner { break-inside: avoid; } h2, h3 { break-after: avoid; } thead { display: table-header-group; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
