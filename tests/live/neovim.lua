-- Opens a file of the sample program in a headless Neovim with the language server attached, as a person's configuration
-- does, and writes what is shown to a file: the lenses as they stand above the lines, hovers, what is offered in a .sql
-- file, and the test that an action writes. It then waits until a running program has moved the lens of one line, and writes
-- that, too.
--
-- Variables: FLOCKSCOPE, PROJECT, OUT; MOVED_LINE, the line (from 0) whose lens must move.

local flockscope, project, out = vim.env.FLOCKSCOPE, vim.env.PROJECT, vim.env.OUT
local moved_line = tonumber(vim.env.MOVED_LINE)

vim.cmd("edit " .. vim.fn.fnameescape(project .. "/helpdesk/engines.py"))
vim.bo.filetype = "python"
local buffer = vim.api.nvim_get_current_buf()
local client = vim.lsp.start_client({ name = "flockscope", cmd = { flockscope, "lsp" }, root_dir = project })
vim.lsp.buf_attach_client(buffer, client)
vim.wait(20000, function() return vim.lsp.get_client_by_id(client).initialized end)

-- What a person sees: the text that Neovim draws, by line.
local function drawn()
  local lines = {}
  for name, namespace in pairs(vim.api.nvim_get_namespaces()) do
    if name:match("codelens") then
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buffer, namespace, 0, -1, { details = true })) do
        local text = ""
        for _, chunk in ipairs(mark[4].virt_text or {}) do
          text = text .. chunk[1]
        end
        lines[tostring(mark[2])] = text
      end
    end
  end
  return lines
end

local function wait(what, condition)
  for _ = 1, 300 do
    vim.lsp.codelens.refresh()
    vim.wait(200)
    if condition(drawn()) then
      return drawn()
    end
  end
  error("in vain: " .. what .. ": " .. vim.inspect(drawn()) .. vim.inspect(vim.lsp.codelens.get(buffer)))
end

local function hover(line, column)
  local at = { textDocument = { uri = vim.uri_from_bufnr(buffer) }, position = { line = line, character = column } }
  local answers = vim.lsp.buf_request_sync(buffer, "textDocument/hover", at, 10000)
  local answer = answers[client] and answers[client].result
  -- As Neovim lays it out for its window.
  return answer and vim.lsp.util.convert_input_to_markdown_lines(answer.contents) or {}
end

-- What is offered at the end of a query.
local function offered(query)
  local file = project .. "/mine.sql"
  vim.fn.writefile({ query }, file)
  local other = vim.fn.bufadd(file)
  vim.fn.bufload(other)
  vim.bo[other].filetype = "sql"
  vim.lsp.buf_attach_client(other, client)
  local labels = {}
  -- What the store holds is read a moment after the figures.
  vim.wait(20000, function()
    local at = { textDocument = { uri = vim.uri_from_bufnr(other) }, position = { line = 0, character = #query } }
    local answers = vim.lsp.buf_request_sync(other, "textDocument/completion", at, 10000)
    local answer = answers and answers[client] and answers[client].result
    labels = {}
    for _, item in ipairs(answer and answer.items or {}) do
      table.insert(labels, item.label)
    end
    return #labels > 0
  end, 200)
  vim.cmd("bwipeout! " .. other)
  return labels
end

-- Carries out the action of a place whose title begins so.
local function act(line, column, title)
  local at = { line = line, character = column }
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    range = { start = at, ["end"] = at },
    context = { diagnostics = {} },
  }
  local answers = vim.lsp.buf_request_sync(buffer, "textDocument/codeAction", params, 10000)
  for _, action in ipairs(answers[client].result or {}) do
    if vim.startswith(action.title, title) then
      local done = vim.lsp.buf_request_sync(buffer, "workspace/executeCommand", action.command, 20000)
      return done[client].result or error(vim.inspect(done))
    end
  end
  error("no action " .. title .. ": " .. vim.inspect(answers))
end

local function find(text)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    local column = line:find(text, 1, true)
    if column then
      return number - 1, column
    end
  end
  error("not there: " .. text)
end

local ok, failure = pcall(function()
  local before = wait("lenses with figures", function(lines)
    local line = lines[tostring(moved_line)]
    return line and line:find("call", 1, true)
  end)
  local result = { before = before }
  local line, column = find("lookup(self")
  result.on_definition = hover(line, column)
  line, column = find(".lookup(")
  result.on_call = hover(line, column + 2)
  result.keys = offered("SELECT attributes->>'agent.na")
  result.values = offered("SELECT 1 FROM spans WHERE service = 'Intake")
  line, column = find("def score(")
  result.test = act(line, column + 5, "Write a test that calls RiskEngine.score as when it failed").path
  -- The program may start now.
  vim.fn.writefile({ vim.json.encode(result) }, out .. ".ready")
  local first = before[tostring(moved_line)]
  local function calls(text)
    return tonumber((text:match("([%d,]+) calls?") or "0"):gsub(",", ""), 10)
  end
  result.after = wait("the lens moves", function(lines)
    local text = lines[tostring(moved_line)]
    return text and calls(text) > calls(first)
  end)
  vim.fn.writefile({ vim.json.encode(result) }, out)
end)
if not ok then
  vim.fn.writefile({ vim.json.encode({ error = tostring(failure) }) }, out)
end
for _, running in pairs(vim.lsp.get_active_clients()) do
  running.stop()
end
vim.wait(2000, function() return #vim.lsp.get_active_clients() == 0 end)
vim.cmd("qall!")
