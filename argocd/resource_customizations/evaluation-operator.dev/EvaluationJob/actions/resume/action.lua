-- Lets a suspended evaluation go on.
obj.spec.suspend = false
return obj
