-- Which actions make sense for this EvaluationJob now.

local ended = { completed = true, error = true, cancelled = true, cancelling = true }
local phase = (obj.status or {}).phase or ""
local over = ended[phase] == true or obj.spec.cancel == true or obj.metadata.deletionTimestamp ~= nil

return {
  cancel = { disabled = over },
  suspend = { disabled = over or obj.spec.suspend == true },
  resume = { disabled = over or obj.spec.suspend ~= true },
}
