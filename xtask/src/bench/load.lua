-- What wrk sends and what it tells at the end. The arguments of a PATCH are the
-- ids of the first and the last user to change.

local first, last
local count = 0
-- Another run must not begin with the values that this one leaves behind.
local run = os.time()

function init(arguments)
  first, last = tonumber(arguments[1]), tonumber(arguments[2])
  if first then
    wrk.headers["Content-Type"] = "application/json"
    request = patch
  end
end

function patch()
  count = count + 1
  local id = first + count % (last - first + 1)
  return wrk.format("PATCH", "/api/v2/users/" .. id .. "/", nil, '{"first_name": "Ada ' .. run .. " " .. count .. '"}')
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("result %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
