-- Asks clerkgate about each request, for haproxy.cfg beside this file. HAProxy 2.6 or
-- later, built with Lua.
--
--   lua-load /etc/haproxy/clerkgate.lua
--   http-request  lua.clerkgate          first of all rules
--   http-response lua.clerkgate-answer   cookies of renewed sessions, RateLimit fields
--
-- Only an answer of clerkgate's own, with the status 200, lets a request pass. All
-- others go to the client as they are: redirects, cookies, 401, 403, 429. Without an
-- answer the client gets 503.

local address = "unix@/run/haproxy/clerkgate.sock" -- the frontend clerkgate of haproxy.cfg
local path = "/forward-auth/haproxy/script"
local patience = 2500 -- milliseconds; more than clerkgate takes for a check

-- Fields of a message of its own, which are not those of the next.
local framing = {
  ["host"] = true, ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true,
  ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
  ["expect"] = true,
}

-- Fields by which HAProxy tells what was asked for: a client's own are not passed on.
local told = {
  ["x-forwarded-method"] = true, ["x-forwarded-proto"] = true, ["x-forwarded-host"] = true,
  ["x-forwarded-uri"] = true,
}

-- Lists of HAProxy count from 0, those of Lua from 1.
local function values(list)
  local all = {}
  for i = 0, #list do all[#all + 1] = list[i] end
  return all
end

local function names(answer, field)
  local list = {}
  local text = answer.headers[field] and answer.headers[field][0] or ""
  for name in text:gmatch("[^,]+") do list[#list + 1] = name:lower() end
  return list
end

local function check(txn)
  local headers, sent = {}, txn.http:req_get_headers()
  for name, list in pairs(sent) do
    if not framing[name] and not told[name] then headers[name] = values(list) end
  end
  headers["x-forwarded-method"] = { txn.f:method() }
  headers["x-forwarded-proto"] = { txn:get_var("txn.scheme") or txn.f:ssl_fc() == 1 and "https" or "http" }
  headers["x-forwarded-host"] = { sent["host"] and sent["host"][0] or "" }
  headers["x-forwarded-uri"] = { txn.f:pathq() or "" }
  local chain = headers["x-forwarded-for"] or {}
  chain[#chain + 1] = txn.f:src()
  headers["x-forwarded-for"] = chain
  return core.httpclient():get({ url = "http://clerkgate" .. path, dst = address, headers = headers, timeout = patience })
end

-- What HAProxy told clerkgate with is a client's own in the request itself.
local function forget(txn)
  for name in pairs(told) do txn.http:req_del_header(name) end
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply({ status = status })
  for name, list in pairs(headers) do
    if not framing[name] then
      for _, value in ipairs(list) do reply:add_header(name, value) end
    end
  end
  if txn.f:method() ~= "HEAD" then reply:set_body(body) end
  txn:done(reply)
end

core.register_action("clerkgate", { "http-req" }, function(txn)
  if txn.http:req_get_headers()["trailer"] then -- which HAProxy would forward unseen
    refuse(txn, 400, { ["cache-control"] = { "no-store" } }, "")
    return
  end
  local ok, answer = pcall(check, txn)
  if not ok or not answer or not answer.headers or not answer.headers["cache-control"] then
    refuse(txn, 503, { ["retry-after"] = { "5" }, ["cache-control"] = { "no-store" } }, "")
    return
  end
  if answer.status ~= 200 or not answer.headers["x-clerkgate-set"] then
    local headers = {}
    for name, list in pairs(answer.headers) do headers[name] = values(list) end
    refuse(txn, answer.status == 200 and 503 or answer.status, headers, answer.body or "")
    return
  end
  forget(txn)
  for _, name in ipairs(names(answer, "x-clerkgate-remove")) do txn.http:req_del_header(name) end
  for _, name in ipairs(names(answer, "x-clerkgate-set")) do
    txn.http:req_set_header(name, answer.headers[name][0])
  end
  if answer.headers["x-clerkgate-query"] then
    txn.http:req_set_query(answer.headers["x-clerkgate-query"][0])
  end
  local fields = {}
  for _, name in ipairs(names(answer, "x-clerkgate-add")) do fields[name] = values(answer.headers[name]) end
  txn:set_priv(fields)
end)

core.register_action("clerkgate-answer", { "http-res" }, function(txn)
  for name, list in pairs(txn:get_priv() or {}) do
    for _, value in ipairs(list) do txn.http:res_add_header(name, value) end
  end
end)
