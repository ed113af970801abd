//! Makes 5,000 Python files in a temporary folder and prints how long a start takes without a cache, with it, and how
//! much memory the result holds.

use std::fs;
use std::path::Path;
use std::time::Instant;

use flockscope_functions::{Observed, Scan, Workspace};

const FILES: usize = 5_000;

fn main() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("workspace");
    let bytes = make(&root)?;
    let cache = folder.path().join("functions.cache");
    println!("{FILES} files, {:.1} MB", bytes as f64 / 1e6);

    let before = resident();
    let started = Instant::now();
    let workspace = Workspace::scan(&root, Some(&cache));
    println!("without cache: {:.0} ms", milliseconds(started));
    drop(workspace);

    for _ in 0..3 {
        let started = Instant::now();
        let mut workspace = Workspace::load(&root, &cache);
        let loaded = milliseconds(started);
        let path = root.join("package_7/module_3.py");
        let traced = workspace
            .functions(&path)
            .iter()
            .filter(|function| function.traced.is_some())
            .count();
        let answered = milliseconds(started);
        let stamps = workspace.stamps();
        let verified = Instant::now();
        let scan = Scan::run(&stamps, None);
        let verified = milliseconds(verified);
        assert!(scan.is_empty(), "nothing changed");
        workspace.apply(scan);
        println!(
            "with cache ({:.1} MB): loaded after {loaded:.0} ms, first file ({traced} traced) after {answered:.0} ms, \
             every file looked at in {verified:.0} ms",
            fs::metadata(&cache)?.len() as f64 / 1e6
        );
    }

    let workspace = Workspace::scan(&root, Some(&cache));
    let functions: usize = workspace.paths().map(|path| workspace.functions(path).len()).sum();
    println!(
        "{functions} functions, resident memory {:.0} MB, before {before:.0} MB",
        resident()
    );

    let observed: Vec<Observed> = (0..2_000).map(operation).collect();
    let started = Instant::now();
    let matches = workspace.match_operations(&observed);
    println!(
        "{} operations matched with {} functions in {:.0} ms",
        observed.len(),
        matches.functions().count(),
        milliseconds(started)
    );
    for query in ["e", "method", "engine4999.helper", "no such name"] {
        let started = Instant::now();
        let found = workspace.named(query, 100).len();
        println!(
            "{found} functions named {query:?} found in {:.0} ms",
            milliseconds(started)
        );
    }
    typing(workspace, &root);
    Ok(())
}

/// Edits a file of 2,000 functions, and of 50,000 lines.
fn typing(mut workspace: Workspace, root: &Path) {
    for (methods, name) in [(2_000, "2,000 functions"), (12_500, "50,000 lines")] {
        let path = root.join("large.py");
        let mut text = String::from("from flock import Agent\n\n\nclass Large(Agent):\n");
        for method in 0..methods {
            text.push_str(&format!(
                "    def method_{method}(self, value):\n        result = self.method_{}(value)\n        self.other.method_2(str(result))\n        return result\n\n",
                (method * 7) % methods
            ));
        }
        workspace.update(&path, &text);
        let mut longest = 0.0_f64;
        let mut asked = 0.0_f64;
        let middle = text.len() / 2;
        let middle = middle + text[middle..].find("value)\n").unwrap_or(0);
        for _ in 0..20 {
            text.insert(middle, 'x');
            let started = Instant::now();
            workspace.update(&path, &text);
            longest = longest.max(milliseconds(started));
            let started = Instant::now();
            let functions = workspace.functions(&path);
            assert_eq!(functions.len(), methods);
            asked = asked.max(milliseconds(started));
        }
        let started = Instant::now();
        let callees = workspace.callees(&path, 0..u32::MAX).len();
        println!(
            "a file of {name}: a keystroke takes at most {longest:.1} ms, its functions {asked:.1} ms, what its {callees} \
             calls mean {:.1} ms",
            milliseconds(started)
        );
    }
}

fn operation(id: u64) -> Observed {
    Observed {
        id,
        name: format!("Engine{id}.method_2"),
        module: Some(format!("package_{}.module_{}", id / 50, id % 50)),
        class: Some(format!("Engine{id}")),
        function: Some("method_2".to_owned()),
        ..Observed::default()
    }
}

/// Packages of 50 modules, each with classes that inherit from the module before. Returns the bytes written.
fn make(root: &Path) -> std::io::Result<usize> {
    let mut bytes = 0;
    for number in 0..FILES {
        let (package, module) = (number / 50, number % 50);
        let folder = root.join(format!("package_{package}"));
        fs::create_dir_all(&folder)?;
        if module == 0 {
            fs::write(folder.join("__init__.py"), "")?;
        }
        let mut text = match module {
            0 => "from flock.components import EngineComponent as Base\n".to_owned(),
            _ => format!(
                "from .module_{} import Engine{} as Base\n",
                module / 2,
                package * 50 + module / 2
            ),
        };
        text.push_str("import asyncio\nimport json\nfrom typing import Any\n\n\n");
        text.push_str(&format!(
            "class Engine{number}(Base):\n    \"\"\"An engine of many.\"\"\"\n\n"
        ));
        for method in 0..10 {
            text.push_str(&format!(
                "    async def method_{method}(self, agent, ctx, inputs: Any = None) -> dict[str, Any]:\n        \"\"\"Does {method}.\"\"\"\n        \
                 found = [one for one in inputs if one is not None]\n        for item in found:\n            \
                 await asyncio.sleep(0.001 * {method})\n            if item == 'x':\n                raise ValueError(f\"no {{item}}\")\n        \
                 return json.loads(self.render(found, limit={method}))\n\n"
            ));
        }
        for function in 0..10 {
            text.push_str(&format!(
                "\ndef helper_{function}(value: int) -> int:\n    total = 0\n    for step in range(value):\n        total += step * {function}\n    return total\n\n"
            ));
        }
        bytes += text.len();
        fs::write(folder.join(format!("module_{module}.py")), text)?;
    }
    Ok(bytes)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn resident() -> f64 {
    memory_stats::memory_stats().map_or(0.0, |stats| stats.physical_mem as f64 / 1e6)
}
