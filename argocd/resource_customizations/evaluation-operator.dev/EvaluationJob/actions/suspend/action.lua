-- Stops the pod until the job is resumed.
obj.spec.suspend = true
return obj
