-- Health of an EvaluationJob. Runs in Argo CD's sandbox: Lua 5.1 with neither the string nor the math library.
-- Nothing but a result counts as Healthy: a cancelled evaluation is Degraded, so that a gate never passes without a verdict.

local status = obj.status or {}
local details = status.status_details or {}
local phase = status.phase

local function health(word, message)
  return { status = word, message = message }
end

local function condition(kind)
  for _, candidate in ipairs(status.conditions or {}) do
    if candidate.type == kind then
      return candidate
    end
  end
  return {}
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The job is being deleted")
end

-- A status that speaks of an older spec says nothing about this one; the next sync wave must not start on it.
if status.observedGeneration == nil then
  return health("Progressing", "Waiting for the operator to see the job")
end
if obj.metadata.generation ~= nil and status.observedGeneration < obj.metadata.generation then
  return health("Progressing", "Waiting for the operator to see the latest change")
end

if phase == "error" then
  local reason = status.error_details or {}
  return health("Degraded", (reason.reason or "Error") .. ": " .. (reason.message or "the evaluation failed"))
end
if phase == "cancelled" then
  return health("Degraded", "Cancelled: the evaluation was stopped before it had a result")
end
if phase == "completed" then
  if status.score ~= nil then
    return health("Healthy", "Completed, score " .. status.score)
  end
  return health("Healthy", "Completed")
end
local stalled = condition("Stalled")
if stalled.status == "True" then
  return health("Degraded", stalled.message or stalled.reason or "The job cannot go on")
end
if phase == "paused" then
  return health("Suspended", details.message or "Paused by spec.suspend")
end

local message = details.message or ("The job is " .. (phase or "waiting for the operator"))
if phase == "active" and details.progress ~= nil then
  message = message .. " " .. details.progress .. " % of the samples are done."
end
return health("Progressing", message)
