#!lua name=heard1
-- The one door: every change of state in the system is one call of `heard1_save`.
-- All keys carry one hash tag. A call that dies before it has done nothing; after it, everything.

-- KEYS: case, timeline, due, seen, threads, changes, status was, status is, [settled stream], topics…
-- ARGV: was, version, record, case id, wake ms or "", opened ms, moved by, move,
--       group or "", entry id, n, timeline…, n, seen fields…, n, thread fields…, topic alerts…
local function save(keys, argv)
  local was, version = tonumber(argv[1]), argv[2]
  local at = 11
  local function list()
    local n, items = tonumber(argv[at]), {}
    for i = 1, n do items[i] = argv[at + i] end
    at = at + n + 1
    return items
  end
  local timeline, seen, threads = list(), list(), list()

  for _, field in ipairs(seen) do
    local known = redis.call('HGET', keys[4], field)
    if known then return {'seen', known} end
  end
  local now = redis.call('HMGET', keys[1], 'v', 'by', 'mv')
  if tonumber(now[1] or '0') ~= was then
    return {'conflict', now[1] or '0', now[2] or '', now[3] or ''}
  end

  redis.call('HSET', keys[1], 'v', version, 's', argv[3], 'by', argv[7], 'mv', argv[8])
  redis.call('RPUSH', keys[2], unpack(timeline))
  if argv[5] == '' then redis.call('ZREM', keys[3], argv[4])
  else redis.call('ZADD', keys[3], argv[5], argv[4]) end
  for _, field in ipairs(seen) do redis.call('HSET', keys[4], field, argv[4]) end
  for _, field in ipairs(threads) do redis.call('HSET', keys[5], field, argv[4]) end
  redis.call('XADD', keys[6], 'MAXLEN', '~', '1000', '*', 'c', argv[4], 'v', version)
  if keys[7] ~= keys[8] or was == 0 then
    if was ~= 0 then redis.call('ZREM', keys[7], argv[4]) end
    redis.call('ZADD', keys[8], argv[6], argv[4])
  end
  local first_topic = 9
  if argv[9] ~= '' then
    redis.call('XACK', keys[9], argv[9], argv[10])
    redis.call('XDEL', keys[9], argv[10])
    first_topic = 10
  end
  for i = first_topic, #keys do
    redis.call('XADD', keys[i], '*', 'c', argv[4], 'a', argv[at + i - first_topic])
  end
  return {'saved', version}
end

-- An entry that needed nothing. KEYS: stream. ARGV: group, entry id.
local function settle(keys, argv)
  redis.call('XACK', keys[1], argv[1], argv[2])
  return redis.call('XDEL', keys[1], argv[2])
end

-- An entry that can never be handled. KEYS: dead letters, stream. ARGV: group, entry id, fields….
local function bury(keys, argv)
  local fields = {}
  for i = 3, #argv do fields[#fields + 1] = argv[i] end
  redis.call('XADD', keys[1], '*', unpack(fields))
  redis.call('XACK', keys[2], argv[1], argv[2])
  return redis.call('XDEL', keys[2], argv[2])
end

-- Something heard that becomes no case. KEYS: seen, dead letters. ARGV: field, reason, fields….
local function pass_over(keys, argv)
  if redis.call('HSETNX', keys[1], argv[1], argv[2]) == 0 then return 0 end
  local fields = {}
  for i = 3, #argv do fields[#fields + 1] = argv[i] end
  if #fields > 0 then redis.call('XADD', keys[2], '*', unpack(fields)) end
  return 1
end

-- A dead letter goes back on its line. KEYS: dead letters, stream. ARGV: dead id, case id, alert.
local function revive(keys, argv)
  if redis.call('XDEL', keys[1], argv[1]) == 0 then return 0 end
  redis.call('XADD', keys[2], '*', 'c', argv[2], 'a', argv[3])
  return 1
end

redis.register_function('heard1_save', save)
redis.register_function('heard1_settle', settle)
redis.register_function('heard1_bury', bury)
redis.register_function('heard1_pass_over', pass_over)
redis.register_function('heard1_revive', revive)
