-- What wrk sends and what it tells at the end. The arguments of writes are their kind, and the ids of the first and the
-- last object to change.

local first, last, group
local count = 0
-- Another run must not begin with the values that this one leaves behind.
local run = os.time()

function init(arguments)
  first, last, group = tonumber(arguments[2]), tonumber(arguments[3]), arguments[4]
  if first then
    wrk.headers["Content-Type"] = "application/json"
    local requests = { users = patch_user, instance_group = change_instance_groups, launches = launch }
    request = requests[arguments[1]]
  end
end

function patch_user()
  count = count + 1
  local id = first + count % (last - first + 1)
  return wrk.format("PATCH", "/api/v2/users/" .. id .. "/", nil, '{"first_name": "Ada ' .. run .. " " .. count .. '"}')
end

-- Every second pass through the organizations removes the group again, so that each request changes something.
function change_instance_groups()
  local organizations = last - first + 1
  local id, pass = first + count % organizations, math.floor(count / organizations)
  count = count + 1
  local remove = pass % 2 == 1 and ', "disassociate": true' or ""
  return wrk.format("POST", "/api/v2/organizations/" .. id .. "/instance_groups/", nil, '{"id": ' .. group .. remove .. "}")
end

function launch()
  return wrk.format("POST", "/api/v2/job_templates/" .. first .. "/launch/", nil, "{}")
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("result %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
