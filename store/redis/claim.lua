-- Leases timers that are due, oldest first. Where none is, nothing is written.
--
-- KEYS: meta, due, lease.
-- ARGV: lineage, the highest counter seen, the schema known, the lease in milliseconds, how many timers at most, and
-- which one alone is wanted; empty: any.
-- Answers status, text, lineage, schema, counter, then id, time and token of each timer.
local meta = redis.call('HMGET', KEYS[1], 'lineage', 'schema', 'counter', 'fence')
local answer = {'done', '', meta[1] or '', meta[2] or '0', meta[3] or '0'}
redis.call('HLEN', KEYS[3]) -- another type shows before any write

if meta[1] and tonumber(meta[2] or 0) > tonumber(ARGV[3]) then
  answer[1] = 'newer'
  return answer
end
if meta[1] ~= ARGV[1] or tonumber(meta[3] or 0) < tonumber(ARGV[2]) then
  answer[1] = 'lost'
  return answer
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = {}
if ARGV[6] == '' then
  due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[5])
else
  local at = redis.call('ZSCORE', KEYS[2], ARGV[6])
  if at and tonumber(at) <= now then
    due = {ARGV[6], at}
  end
end
if #due == 0 then
  return answer
end

-- Tokens come from the clock, and rise where it does not: after a failover that lost the last claims, which no counter
-- shows, the tokens of the new primary are others than those.
local token = math.max(tonumber(meta[4] or 0), time[1] * 1000000 + time[2])
redis.call('ZREM', KEYS[2], '') -- a first write that a full Redis lets through, and so those after it
for i = 1, #due, 2 do
  local id = due[i]
  local held = redis.call('HGET', KEYS[3], id)
  local at = held and string.match(held, ' (.*)$') or string.format('%.0f', tonumber(due[i + 1]))
  token = token + 1
  local text = string.format('%.0f', token)
  redis.call('HSET', KEYS[3], id, text .. ' ' .. at)
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + tonumber(ARGV[4])), id)
  table.insert(answer, id)
  table.insert(answer, at)
  table.insert(answer, text)
end
redis.call('HSET', KEYS[1], 'fence', string.format('%.0f', token))
return answer
