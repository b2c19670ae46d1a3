-- Stops the evaluation for good; its record stays.
obj.spec.cancel = true
return obj
