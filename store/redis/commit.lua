-- Commits all or nothing. Redis does not take back what a script wrote before an error, so the first half only reads,
-- whatever can fail, and the second half only writes.
--
-- KEYS: meta, keys, due, lease, audit, op, then the documents in the order of the checks.
-- ARGV: the commit as JSON, then the bytes of each put and of each audit entry. Numbers in the JSON that may be large
-- are strings, because Lua's are floats.
-- Answers status, text, lineage, schema, counter.
local commit = cjson.decode(ARGV[1])
local meta = redis.call('HMGET', KEYS[1], 'lineage', 'schema', 'counter', 'audit')
local counter = tonumber(meta[3] or 0)
local version = string.format('%d', counter + 1)

local function answer(status, text)
  return {status, text, meta[1] or '', meta[2] or '0', string.format('%d', counter)}
end

-- A key of another type shows now, and not in the middle of writing.
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('XLEN', KEYS[5])

if meta[1] and tonumber(meta[2] or 0) > commit.schema then
  return answer('newer', '')
end
if meta[1] ~= commit.lineage or counter < tonumber(commit.seen) then
  return answer('lost', '')
end

local op = commit.nonce and redis.call('GET', KEYS[6])
if op then
  local first, nonce = string.match(op, '^(%d+) (.*)$')
  if nonce ~= commit.nonce then
    return answer('replayed', '')
  end
  -- Written once more, so that a WAIT on this connection waits for it.
  redis.call('ZREM', KEYS[3], '')
  redis.call('SET', KEYS[6], op, 'PX', commit.op_life)
  return answer('done', first)
end

if commit.lease then
  local held = redis.call('HGET', KEYS[4], commit.lease.timer)
  if not held or string.match(held, '^%d+') ~= commit.lease.token then
    return answer('fenced', '')
  end
end

for i, check in ipairs(commit.checks or {}) do
  local found = redis.call('HGET', KEYS[6 + i], 'v')
  if not found and redis.call('ZSCORE', KEYS[2], check.key) then
    return answer('lost', check.key)
  end
  if (found or '0') ~= check.version then
    return answer('conflict', check.key)
  end
end

-- From here on it only writes. The first write needs no memory, and those after it are not asked: a full Redis still
-- takes the few bytes of a restore. Changes are stopped by Health.
redis.call('ZREM', KEYS[3], '')
counter = counter + 1
redis.call('HSET', KEYS[1], 'counter', version)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local data = 1 -- where the bytes begin

for _, put in ipairs(commit.puts or {}) do
  data = data + 1
  redis.call('HSET', KEYS[6 + put.at], 'v', version, 'd', ARGV[data])
  redis.call('ZADD', KEYS[2], 0, put.key)
end
for _, delete in ipairs(commit.deletes or {}) do
  redis.call('DEL', KEYS[6 + delete.at])
  redis.call('ZREM', KEYS[2], delete.key)
end
if commit.lease and commit.lease.extend then
  redis.call('ZADD', KEYS[3], string.format('%.0f', now + commit.lease.extend), commit.lease.timer)
end
for _, timer in ipairs(commit.timers or {}) do
  if timer.at then
    redis.call('ZADD', KEYS[3], timer.at, timer.id)
  else
    redis.call('ZREM', KEYS[3], timer.id)
  end
  redis.call('HDEL', KEYS[4], timer.id)
end
local id = tonumber(meta[4] or 0)
for _, log in ipairs(commit.logs or {}) do
  data = data + 1
  id = id + 1
  redis.call('XADD', KEYS[5], string.format('%d-0', id), 'at', string.format('%.0f', now), 'log', log, 'data', ARGV[data])
end
if commit.logs then
  redis.call('HSET', KEYS[1], 'audit', string.format('%d', id))
end
for i = 1, #(commit.forget or {}), 1000 do -- as many as fit on Lua's stack
  redis.call('XDEL', KEYS[5], unpack(commit.forget, i, math.min(i + 999, #commit.forget)))
end
if commit.nonce then
  redis.call('SET', KEYS[6], version .. ' ' .. commit.nonce, 'PX', commit.op_life)
end
return answer('done', version)
