select 1 as x,
       2 as y
from (select 3 as z) as q
where q.zz = 1
