-- Reads in one view. It is a script and no MULTI, in which a full Redis refuses to read.
--
-- KEYS: meta, keys, audit, then the documents to get.
-- ARGV: what to do, and what it needs:
--   get     the names of the documents; answers version and bytes of each, or 0 and nothing
--   list    from and to, as ZRANGEBYLEX takes them; answers names
--   audit   the first ID and how many; answers ID, time, log and bytes of each entry
-- Answers status, text, lineage, schema, counter, and then these.
local meta = redis.call('HMGET', KEYS[1], 'lineage', 'schema', 'counter')
local answer = {'done', '', meta[1] or '', meta[2] or '0', meta[3] or '0'}

if ARGV[1] == 'get' then
  for i = 4, #KEYS do
    local doc = redis.call('HMGET', KEYS[i], 'v', 'd')
    local name = ARGV[i - 2]
    if not (doc[1] and doc[2]) and redis.call('ZSCORE', KEYS[2], name) then
      return {'lost', name, answer[3], answer[4], answer[5]}
    end
    table.insert(answer, doc[1] or '0')
    table.insert(answer, doc[2] or '')
  end
elseif ARGV[1] == 'list' then
  for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[2], ARGV[3])) do
    table.insert(answer, name)
  end
elseif ARGV[1] == 'audit' then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[3], ARGV[2], '+', 'COUNT', ARGV[3])) do
    local fields = entry[2]
    table.insert(answer, entry[1])
    table.insert(answer, fields[2])
    table.insert(answer, fields[4])
    table.insert(answer, fields[6])
  end
end
return answer
