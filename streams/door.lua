#!lua name=heard1
-- The one door: every change of state in the system is one write of a call of `heard1_save`.
-- All keys carry one hash tag. A call that dies before it has done nothing; after it, everything.

-- One write. `key(n)` is the n-th declared key, `blob(n)` the n-th argument: bytes travel as arguments
-- of their own, as cmsgpack knows no binary strings. Fields of a write, by place:
--  1 version it was made on   2 version   3 record (blob)   4 case id   5 wake ms or ""   6 opened ms
--  7 keys {case, timeline, status was, status is}   8 settled {stream key, group, entry id} or {}
--  9 timeline (blobs)   10 seen fields   11 thread fields
-- 12 sends {stream key, alert (blob), stream key, alert, …}
-- 13 seen fields that stand for the heard one if its author was forgotten   14 {author's mark, written ms} or {}
-- 15 what is left once words and ids go: {} or {how many of the timeline, {seen field, its mark, …}, {thread field, …}}
-- The shared keys 1 to 4 are: due, seen, threads, changes.
local function save_one(key, blob, write)
  local was, case_id = write[1], write[4]
  local case, timeline = key(write[7][1]), key(write[7][2])
  for _, field in ipairs(write[10]) do
    local known = redis.call('HGET', key(2), field)
    if known then return {'seen', known} end
  end
  for _, field in ipairs(write[13] or {}) do
    local known = redis.call('HGET', key(2), field)
    if known then return {'seen', known} end
  end
  if write[14] and write[14][1] then
    local forgotten = redis.call('HGET', key(2), write[14][1])
    if forgotten and tonumber(forgotten) >= write[14][2] then return {'seen', '-forgotten'} end
  end
  local version = redis.call('HGET', case, 'v')
  if tonumber(version or '0') ~= was then
    return {'conflict', redis.call('HGET', case, 's') or ''}
  end

  redis.call('HSET', case, 'v', write[2], 's', blob(write[3]))
  for _, entry in ipairs(write[9]) do redis.call('RPUSH', timeline, blob(entry)) end
  if write[5] == '' then redis.call('ZREM', key(1), case_id)
  else redis.call('ZADD', key(1), write[5], case_id) end
  for _, field in ipairs(write[10]) do redis.call('HSET', key(2), field, case_id) end
  for _, field in ipairs(write[11]) do redis.call('HSET', key(3), field, case_id) end
  local left = write[15]
  if left and left[1] then
    redis.call('LTRIM', timeline, -left[1], -1)
    for i = 1, #left[2], 2 do
      redis.call('HDEL', key(2), left[2][i])
      redis.call('HSET', key(2), left[2][i + 1], case_id)
    end
    for _, field in ipairs(left[3]) do redis.call('HDEL', key(3), field) end
  end
  redis.call('XADD', key(4), 'MAXLEN', '~', '1000', '*', 'c', case_id, 'v', write[2])
  if was == 0 then
    redis.call('ZADD', key(write[7][4]), write[6], case_id)
  elseif write[7][3] ~= write[7][4] then
    redis.call('ZREM', key(write[7][3]), case_id)
    redis.call('ZADD', key(write[7][4]), write[6], case_id)
  end
  if write[8][1] then
    redis.call('XACK', key(write[8][1]), write[8][2], write[8][3])
    redis.call('XDEL', key(write[8][1]), write[8][3])
  end
  for i = 1, #write[12], 2 do
    redis.call('XADD', key(write[12][i]), '*', 'c', case_id, 'a', blob(write[12][i + 1]))
  end
  return {'saved'}
end

-- Many writes of one partition, each all or nothing by itself, in order. ARGV: the writes, packed; blobs….
local function save(keys, argv)
  local outcomes = {}
  local function key(n) return keys[n] end
  local function blob(n) return argv[n] end
  for i, write in ipairs(cmsgpack.unpack(argv[1])) do outcomes[i] = save_one(key, blob, write) end
  return outcomes
end

-- The records of cases. KEYS: cases.
local function load(keys, argv)
  local records = {}
  for i, key in ipairs(keys) do records[i] = redis.call('HGET', key, 's') end
  return records
end

-- Entries that needed nothing. KEYS: stream. ARGV: group, entry ids….
local function settle(keys, argv)
  for i = 2, #argv do
    redis.call('XACK', keys[1], argv[1], argv[i])
    redis.call('XDEL', keys[1], argv[i])
  end
  return #argv - 1
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

-- An author is forgotten: their opt-out and what was heard of them stay, under marks.
-- KEYS: seen, threads, opt-outs. ARGV: author's mark, now ms, opt-out, its mark,
-- how many seen fields, seen field, its mark, …, thread field, ….
local function forget_author(keys, argv)
  local before = tonumber(redis.call('HGET', keys[1], argv[1]) or '0')
  if before < tonumber(argv[2]) then redis.call('HSET', keys[1], argv[1], argv[2]) end
  if redis.call('SREM', keys[3], argv[3]) == 1 then redis.call('SADD', keys[3], argv[4]) end
  local seen = tonumber(argv[5])
  for i = 6, 5 + 2 * seen, 2 do
    local known = redis.call('HGET', keys[1], argv[i])
    if known then
      redis.call('HDEL', keys[1], argv[i])
      redis.call('HSET', keys[1], argv[i + 1], known)
    end
  end
  for i = 6 + 2 * seen, #argv do redis.call('HDEL', keys[2], argv[i]) end
  return 1
end

-- A dead letter goes back on its line. KEYS: dead letters, stream. ARGV: dead id, case id, alert.
local function revive(keys, argv)
  if redis.call('XDEL', keys[1], argv[1]) == 0 then return 0 end
  redis.call('XADD', keys[2], '*', 'c', argv[2], 'a', argv[3])
  return 1
end

-- Without these entries, and without their bytes: what is deleted from a stream stays in its memory and in its files
-- until its neighbours go too. So the stream is written anew. KEYS: dead letters. ARGV: dead ids….
local function drop(keys, argv)
  local dropped = 0
  for _, id in ipairs(argv) do dropped = dropped + redis.call('XDEL', keys[1], id) end
  if dropped == 0 then return 0 end
  local last = redis.call('XINFO', 'STREAM', keys[1])
  local newest
  for i = 1, #last, 2 do if last[i] == 'last-generated-id' then newest = last[i + 1] end end
  local left = redis.call('XRANGE', keys[1], '-', '+')
  redis.call('DEL', keys[1])
  for _, entry in ipairs(left) do
    local args = {}
    for i, part in ipairs(entry[2]) do args[i] = part end
    redis.call('XADD', keys[1], entry[1], unpack(args))
  end
  if #left > 0 then redis.call('XSETID', keys[1], newest) end
  return dropped
end

-- What a limit has left, and when its slots fall out of its stretch: a slot is counted until the last instant in
-- it is older than the stretch. Slots that are out are deleted. Returns left, {slot…} and each slot's sum.
local SLOTS = 60
local function counted(key, now, amount, per, forget)
  local width = math.floor(per / SLOTS)
  local sums, slots, spent, told, till = {}, {}, 0, nil, nil
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if fields[i] == 'left' then told = tonumber(fields[i + 1])
    elseif fields[i] == 'until' then till = tonumber(fields[i + 1])
    else
      local slot, sum = tonumber(fields[i]), tonumber(fields[i + 1])
      if (slot + 1) * width > now - per then
        slots[#slots + 1], sums[slot], spent = slot, sum, spent + sum
      elseif forget then redis.call('HDEL', key, fields[i]) end
    end
  end
  table.sort(slots)
  local left = amount - spent
  if told and now < till then return math.min(left, told), left, slots, sums, width, told, till end
  return left, left, slots, sums, width, nil, nil
end

-- Spend from every limit or from none. KEYS: limits. ARGV: now ms, cost, amount, length ms, amount, ….
-- Returns nothing when it was spent, else how long until it can be.
local function take(keys, argv)
  local now, cost, wait, all = tonumber(argv[1]), tonumber(argv[2]), nil, {}
  for i, key in ipairs(keys) do
    local amount, per = tonumber(argv[1 + 2 * i]), tonumber(argv[2 + 2 * i])
    local left, own, slots, sums, width, told, till = counted(key, now, amount, per, true)
    all[i] = {width, per, told}
    if left < cost then
      local until_free = per
      if told and told < cost then until_free = till - now
      else
        for _, slot in ipairs(slots) do
          own = own + sums[slot]
          if own >= cost then until_free = (slot + 1) * width + per - now break end
        end
      end
      wait = math.max(wait or 0, until_free)
    end
  end
  if wait then return math.max(1, wait) end
  for i, key in ipairs(keys) do
    redis.call('HINCRBY', key, string.format('%.0f', math.floor(now / all[i][1])), cost)
    if all[i][3] then redis.call('HINCRBY', key, 'left', -cost) end
    redis.call('PEXPIRE', key, 2 * all[i][2])
  end
end

-- KEYS: limit. ARGV: now ms, amount, length ms.
local function left(keys, argv)
  return (counted(keys[1], tonumber(argv[1]), tonumber(argv[2]), tonumber(argv[3]), false))
end

-- A click, once however often it is delivered. KEYS: its mark, the box. ARGV: seconds it is remembered, body.
local function press(keys, argv)
  if not redis.call('SET', keys[1], '1', 'NX', 'EX', argv[1]) then return 0 end
  redis.call('XADD', keys[2], '*', 'b', argv[2])
  return 1
end

-- Cards in Slack. What is dirty is `ready` in its turn, or rests in `later` until an instant; what somebody works on
-- is `held` under a token, and in `later` until they are taken for dead. Marks say when it last became dirty.
-- KEYS of the next four: ready, later, turns, marks, held, count.
local function card_ready(keys, name)
  redis.call('HDEL', keys[5], name)
  redis.call('ZREM', keys[2], name)
  redis.call('ZADD', keys[1], redis.call('HGET', keys[3], name), name)
end

-- ARGV: name, its turn in ms. Turns of one ms are in the order they came.
local function card_dirty(keys, argv)
  local name, mark = argv[1], redis.call('INCR', keys[6])
  local turn, was = tonumber(argv[2]) + mark % 1000 / 1000, redis.call('HGET', keys[3], name)
  local held = tonumber(redis.call('HGET', keys[5], name) or nil)
  local since = held and tonumber(redis.call('HGET', keys[4], name)) < held
  if not was or since or turn < tonumber(was) then
    redis.call('HSET', keys[3], name, string.format('%.3f', turn))
  end
  redis.call('HSET', keys[4], name, mark)
  if not held then card_ready(keys, name) end
  return mark
end

-- ARGV: now ms, until when they are held, at most. Returns {name, turn, token}….
local function card_take(keys, argv)
  local due = redis.call('ZRANGEBYSCORE', keys[2], '-inf', argv[1], 'LIMIT', 0, 1000)
  for _, name in ipairs(due) do card_ready(keys, name) end
  local taken = {}
  for i, name in ipairs(redis.call('ZRANGE', keys[1], 0, argv[3] - 1)) do
    local token = redis.call('INCR', keys[6])
    redis.call('ZREM', keys[1], name)
    redis.call('ZADD', keys[2], argv[2], name)
    redis.call('HSET', keys[5], name, token)
    taken[i] = {name, redis.call('HGET', keys[3], name), token}
  end
  return taken
end

-- ARGV: name, token, when to try again or "". Returns 0 when it is in other hands by now.
local function card_give_back(keys, argv)
  local name = argv[1]
  if redis.call('HGET', keys[5], name) ~= argv[2] then return 0 end
  if tonumber(redis.call('HGET', keys[4], name)) > tonumber(argv[2]) then card_ready(keys, name)
  elseif argv[3] ~= '' then
    redis.call('HDEL', keys[5], name)
    redis.call('ZADD', keys[2], argv[3], name)
  else
    redis.call('ZREM', keys[2], name)
    for i = 3, 5 do redis.call('HDEL', keys[i], name) end
  end
  return 1
end

-- Who posts: whoever replaces the intent that they know. KEYS: card. ARGV: channel, intent, intent that was or "".
local function card_intend(keys, argv)
  if redis.call('HEXISTS', keys[1], 'ts') == 1 then return 0 end
  if (redis.call('HGET', keys[1], 'intent') or '') ~= argv[3] then return 0 end
  redis.call('HSET', keys[1], 'channel', argv[1], 'intent', argv[2])
  return 1
end

-- What Slack shows. KEYS: card. ARGV: channel, ts, version, digest, at. Returns 0 when it showed a newer version:
-- how it looks now is forgotten then.
local function card_shown(keys, argv)
  local shown = tonumber(redis.call('HGET', keys[1], 'shown') or '0')
  if redis.call('HGET', keys[1], 'ts') == argv[2] and shown > tonumber(argv[3]) then
    redis.call('HSET', keys[1], 'digest', '')
    return 0
  end
  redis.call('HSET', keys[1], 'channel', argv[1], 'ts', argv[2], 'shown', argv[3], 'digest', argv[4], 'at', argv[5])
  redis.call('HDEL', keys[1], 'intent', 'trouble')
  return 1
end

-- One more on a board: its place, which it keeps. KEYS: board. ARGV: member, seconds it is remembered.
local function card_gather(keys, argv)
  redis.call('HSETNX', keys[1], argv[1], redis.call('HLEN', keys[1]) + 1)
  redis.call('EXPIRE', keys[1], argv[2])
  return tonumber(redis.call('HGET', keys[1], argv[1]))
end

redis.register_function('heard1_card_dirty', card_dirty)
redis.register_function('heard1_card_take', card_take)
redis.register_function('heard1_card_give_back', card_give_back)
redis.register_function('heard1_card_intend', card_intend)
redis.register_function('heard1_card_shown', card_shown)
redis.register_function('heard1_card_gather', card_gather)
redis.register_function('heard1_press', press)
redis.register_function('heard1_take', take)
redis.register_function{function_name='heard1_left', callback=left, flags={'no-writes'}}
redis.register_function('heard1_save', save)
redis.register_function{function_name='heard1_load', callback=load, flags={'no-writes'}}
redis.register_function('heard1_settle', settle)
redis.register_function('heard1_bury', bury)
redis.register_function('heard1_pass_over', pass_over)
redis.register_function('heard1_revive', revive)
redis.register_function('heard1_drop', drop)
redis.register_function('heard1_forget_author', forget_author)
