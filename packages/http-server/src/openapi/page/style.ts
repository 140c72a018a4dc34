/** The page's only style. Its digest is in the page's policy, so that nothing else can be applied. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dde2e9;--paper:#fff;--tint:#f5f7fa;--accent:#0b62c4;
--get:#0b62c4;--post:#1a7f37;--put:#9a6700;--patch:#8250df;--delete:#c62828}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ef;--soft:#9aa6b5;--line:#2f3947;--paper:#12171e;--tint:#1a212b;--accent:#6cb0ff;
--get:#6cb0ff;--post:#56d178;--put:#e3b341;--patch:#c9a5ff;--delete:#ff8078}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:1rem}
body{margin:0;font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);display:grid;grid-template-columns:19rem minmax(0,1fr)}
a{color:var(--accent);text-decoration:none}
a:hover{text-decoration:underline}
code,pre,.path{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9em}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.25rem 1rem 3rem 1.5rem;border-right:1px solid var(--line);background:var(--tint)}
nav h2{font-size:.75rem;text-transform:uppercase;letter-spacing:.06em;color:var(--soft);margin:1.4rem 0 .3rem}
nav ul{list-style:none;margin:0;padding:0}
nav li a{display:flex;gap:.5rem;align-items:baseline;padding:.15rem 0;color:var(--ink)}
main{padding:2rem 3rem 6rem;max-width:62rem}
h1{margin:0 0 .3rem;font-size:1.9rem}
main h2{margin:3.2rem 0 0;font-size:1.4rem;text-transform:capitalize}
section.operation{border-top:1px solid var(--line);margin-top:1.4rem;padding-top:1.2rem}
section.operation h3{margin:0 0 .5rem;font-size:1.12rem}
h4{margin:1.1rem 0 .35rem;font-size:.8rem;text-transform:uppercase;letter-spacing:.05em;color:var(--soft)}
.call{display:flex;gap:.7rem;align-items:baseline;background:var(--tint);border:1px solid var(--line);border-radius:6px;padding:.45rem .8rem;overflow-wrap:anywhere}
.method{font-weight:700;font-size:.72rem;letter-spacing:.03em;flex:none}
nav .method{width:3.4rem;font-size:.64rem}
.get{color:var(--get)}.post{color:var(--post)}.put{color:var(--put)}.patch{color:var(--patch)}.delete{color:var(--delete)}
.guard{color:var(--soft);font-size:.9em}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;white-space:nowrap}
td.kind{color:var(--soft);overflow-wrap:anywhere}
td p{margin:0}
pre{background:var(--tint);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow:auto;margin:.4rem 0;max-height:30rem}
details{margin:.35rem 0}
summary{cursor:pointer;color:var(--accent)}
@media (max-width:60rem){body{display:block}nav{position:static;height:auto}main{padding:1.5rem}}
`;
