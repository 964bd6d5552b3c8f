#!lua name=weir
-- weir 1
--
-- The function that publishes to a durable channel: in one step it appends to the channel's stream and announces the
-- entry. A gateway installs it (broker/bus/function_installer.h), or an administrator: weir-broker --print-function.
--
--   FCALL weir_publish 1 <channel> <payload> [messages] [seconds] [idempotency key] [verbose]
--
-- Channel: the name on the Redis side, or the stream's key, weir:{<channel>}: on a cluster the key alone, since the
-- call must go to its slot and wait there while the slot moves. Messages: about how many the stream keeps (1000).
-- Seconds: how long after its last message it ends (604800; 0: never). An empty text is the default. Idempotency key:
-- a second call with it within 10 minutes, and within 1000 keys, appends nothing and returns the first one's id.
-- Returns the id; with a sixth argument "verbose" an array of it and 1 if the key had been used, else 0.
--
-- An id is <birth>-<n>. n counts by ones for as long as the stream lives. The birth names the Redis process that gave
-- the id: Unix time in ms with 13 digits, then 6 digits of a hash of its run id and its replication id. Another
-- process, after a restart or a failover, goes on with the next n under a birth of its own, which is greater; so does
-- one that has been a replica meanwhile, which took away what it alone had. So no id is given twice, even by a process
-- that has not seen the last ones. Ids are texts here: a Lua number loses digits beyond 2^53.
--
-- Whatever may be refused is asked for before anything is written: Redis takes nothing back when a function fails.
--
-- Limits: payloads of 4 MiB. Keys: weir:{<channel>}, and weir:{<channel>}:keys where an idempotency key is given.
-- Rights: +fcall +xadd +xdel +expire +persist +spublish +time +info on ~weir:{*} and &weir:{*}, for the short form also
-- ~<channel>. With idempotency keys also +hget +hset +hdel +hincrby on ~weir:{*}:keys.

local PAYLOAD_BYTES_MAX = 4 * 1024 * 1024
local MESSAGES = '1000'
local SECONDS = 7 * 24 * 60 * 60
local KEYS_MAX = 1000
local KEY_BYTES_MAX = 256
local KEY_SECONDS = 10 * 60
-- A stream's end is set anew at most once in so many seconds, since replicas and the AOF get each EXPIRE.
local EXPIRE_SECONDS = 60
-- What is known of streams and of texts is forgotten at so many.
local STREAMS_MAX = 10000
local NUMBERS_MAX = 1000

-- Functions that are not there yet while a library is loaded.
local call, allows, sub, byte, match, format, floor

-- This process: the 6 digits that mark its births, and whether it is a part of a cluster. Asked for at calls, since
-- a library can't call Redis while it is loaded.
local mark, run_id, replication_id, is_cluster
-- The hundredth of a second in which this process was looked at (two digits, as bytes): its role changes only with a
-- synchronisation, which takes longer.
local looked_at_tens, looked_at_ones
-- A second, as Redis tells it, and as a number.
local second_text, second
-- What this process knows of a stream, by what callers declare: its key; `birth`, the first 20 characters of the ids
-- that this process gives (nil if it has given none); since `at` it ends `seconds` after; since `keys_at` its
-- idempotency keys end.
local streams, streams_count = {}, 0
-- Whole numbers by their texts.
local numbers, numbers_count = {}, 0

local function look_at_process()
  if not run_id then
    allows = redis.acl_check_cmd
    match, format, floor = string.match, string.format, math.floor
    local info = call('INFO', 'server')
    run_id = match(info, 'run_id:(%x+)')
    is_cluster = match(info, 'redis_mode:cluster') ~= nil
  end
  local id = match(call('INFO', 'replication'), 'master_replid:(%x+)')
  if id == replication_id then return end
  replication_id = id
  local both, hash = run_id .. id, 0
  for i = 1, #both do
    hash = (hash * 31 + byte(both, i)) % 1000000
  end
  mark = format('%06d', hash)
  streams, streams_count = {}, 0
end

local function failed(why)
  return redis.error_reply('ERR weir_publish: ' .. why)
end

local function forbidden(command)
  return redis.error_reply('NOPERM weir_publish: the user has no permission to run ' .. command .. ' on the stream')
end

-- A whole number as Redis writes it; nil for any other text.
local function number_of(text)
  local number = numbers[text]
  if number then return number end
  number = #text <= 15 and (text == '0' or match(text, '^[1-9]%d*$')) and tonumber(text)
  if not number then return nil end
  if numbers_count >= NUMBERS_MAX then numbers, numbers_count = {}, 0 end
  numbers[text], numbers_count = number, numbers_count + 1
  return number
end

-- What is known of the stream that the caller declared; nil and the reason if there is none.
local function stream_of(declared)
  local name = match(declared, '^weir:{(.*)}$')
  if not name then
    if is_cluster then return nil, 'on a cluster declare the stream\'s key, weir:{' .. declared .. '}' end
    name = declared
  end
  if name == '' or string.find(name, '[{}]') then return nil, 'a channel\'s name is not empty and holds no brace' end
  local key = 'weir:{' .. name .. '}'
  if streams_count >= STREAMS_MAX then streams, streams_count = {}, 0 end
  local stream = streams[key] or { key = key }
  streams[key], streams[declared], streams_count = stream, stream, streams_count + 1
  return stream
end

local function set_end(stream, seconds, now, is_new)
  if seconds > 0 then
    call('EXPIRE', stream.key, seconds)
  elseif not is_new then
    call('PERSIST', stream.key)
  end
  stream.at, stream.seconds = now, seconds
end

local function is_end_due(stream, seconds, now)
  if stream.seconds ~= seconds or now < stream.at then return true end
  -- So a stream may end early by a hundredth of its time.
  return now >= stream.at + (seconds > 0 and math.min(EXPIRE_SECONDS, floor(seconds / 100)) or EXPIRE_SECONDS)
end

-- Appends under a new birth of this process, as entry `n`. `last` is the birth before, if there was one.
local function append_under_new_birth(stream, n, last, time, payload)
  local ms = time
  if last then
    local after = format('%013.0f', tonumber(sub(last, 1, 13)) + 1)
    if after > ms then ms = after end
  end
  local id = call('XADD', stream.key, ms .. mark .. '-' .. n, 'p', payload, 't', time)
  stream.birth = sub(id, 1, 20)
  return id
end

-- `id` was given to the payload as the next one, and is not of the birth that this process knows. Returns the id that
-- it has in the end; nil and the reason if the key holds another stream.
local function give_id(stream, id, time, payload)
  -- A stream that was deleted may come again in the same millisecond.
  if not id then return append_under_new_birth(stream, '1', stream.birth, time, payload) end
  local birth, n = match(id, '^(%d+)-(%d+)$')
  if #birth == 19 and sub(birth, -6) == mark then
    stream.birth = birth .. '-'
    return id
  end
  call('XDEL', stream.key, id)
  if #birth ~= 19 then return nil, 'the key ' .. stream.key .. ' holds a stream that weir_publish has not made' end
  return append_under_new_birth(stream, n, birth, time, payload)
end

-- The id that an idempotency key has given, if it still counts. The hash at `keys` holds, for each key, "k<key>":
-- "<slot> <time> <id>"; a ring of slots "s<slot>": the key; and "n", the number of keys so far.
local function id_of(keys, idempotency_key, now)
  local known = call('HGET', keys, 'k' .. idempotency_key)
  local time, id = match(known or '', '^%d+ (%d+) (.*)$')
  if time and tonumber(time) + KEY_SECONDS > now then return id end
  return nil
end

local function remember(stream, keys, idempotency_key, now, id)
  local count = call('HINCRBY', keys, 'n', 1)
  local slot = count % KEYS_MAX
  local old = call('HGET', keys, 's' .. slot)
  if old then
    local its_slot = match(call('HGET', keys, 'k' .. old) or '', '^(%d+) ')
    if its_slot == tostring(slot) then call('HDEL', keys, 'k' .. old) end
  end
  call('HSET', keys, 's' .. slot, idempotency_key,
       'k' .. idempotency_key, slot .. ' ' .. format('%.0f', now) .. ' ' .. id)
  if count > 1 and stream.keys_at and now >= stream.keys_at and now < stream.keys_at + EXPIRE_SECONDS then return end
  call('EXPIRE', keys, KEY_SECONDS + EXPIRE_SECONDS)
  stream.keys_at = now
end

-- The first of the commands that the caller may not run; nil if it may run all of them.
local function first_forbidden(stream, is_end_set, seconds, keys)
  local key = stream.key
  if not allows('SPUBLISH', key, '') then return 'SPUBLISH' end
  if is_end_set and not (seconds > 0 and allows('EXPIRE', key, '1') or seconds == 0 and allows('PERSIST', key)) then
    return seconds > 0 and 'EXPIRE' or 'PERSIST'
  end
  if not stream.birth and not allows('XDEL', key, '1-1') then return 'XDEL' end
  if not keys then return nil end
  if not allows('HSET', keys, 'n', '1') then return 'HSET' end
  if not allows('HINCRBY', keys, 'n', '1') then return 'HINCRBY' end
  if not allows('HDEL', keys, 'n') then return 'HDEL' end
  if not allows('EXPIRE', keys, '1') then return 'EXPIRE' end
  return nil
end

-- Hot path: once per message.
local function publish(declared, args)
  if #declared ~= 1 then return failed('one key is to be declared: the channel') end
  local payload = args[1]
  if not payload then return failed('the payload is missing') end
  if #payload > PAYLOAD_BYTES_MAX then return failed('the payload is larger than 4 MiB') end

  if not call then call, sub, byte = redis.call, string.sub, string.byte end
  local clock = call('TIME')
  local micros = clock[2]
  if #micros < 6 then micros = string.rep('0', 6 - #micros) .. micros end
  local tens, ones = byte(micros, 1, 2)
  if ones ~= looked_at_ones or tens ~= looked_at_tens or clock[1] ~= second_text then
    look_at_process()
    looked_at_tens, looked_at_ones, second_text, second = tens, ones, clock[1], tonumber(clock[1])
  end
  local now, time = second, clock[1] .. sub(micros, 1, 3)
  local stream, why_not = streams[declared[1]]
  if not stream then
    stream, why_not = stream_of(declared[1])
    if not stream then return failed(why_not) end
  end

  local messages, seconds = args[2], args[3]
  if not messages or messages == '' then messages = MESSAGES end
  if messages ~= MESSAGES and (number_of(messages) or 0) < 1 then
    return failed('the number of messages is not a whole number from 1 on')
  end
  seconds = (not seconds or seconds == '') and SECONDS or number_of(seconds)
  if not seconds then return failed('the number of seconds is not a whole number') end
  local idempotency_key, keys = args[4], nil
  if idempotency_key and idempotency_key ~= '' then
    if #idempotency_key > KEY_BYTES_MAX then return failed('the idempotency key has more than 256 bytes') end
    keys = stream.key .. ':keys'
    local id = id_of(keys, idempotency_key, now)
    if id then return args[5] == 'verbose' and { id, 1 } or id end
  end

  local is_end_set = is_end_due(stream, seconds, now)
  local command = first_forbidden(stream, is_end_set, seconds, keys)
  if command then return forbidden(command) end
  -- The clock is far behind every birth, so '*' is the last id's birth and the next n.
  local id = call('XADD', stream.key, 'NOMKSTREAM', 'MAXLEN', '~', messages, '*', 'p', payload, 't', time)
  if not id or sub(id, 1, 20) ~= stream.birth then
    local is_new = not id
    id, why_not = give_id(stream, id, time, payload)
    if not id then return failed(why_not) end
    set_end(stream, seconds, now, is_new)
  elseif is_end_set then
    set_end(stream, seconds, now, false)
  end
  if keys then remember(stream, keys, idempotency_key, now, id) end
  call('SPUBLISH', stream.key, id .. ' ' .. time .. ' ' .. payload)
  if args[5] == 'verbose' then return { id, 0 } end
  return id
end

redis.register_function{ function_name = 'weir_publish', callback = publish, description = 'weir 1' }
