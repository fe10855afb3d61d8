with users as (

    select * from {{ ref('int_users') }}

)

select
    user_id,
    name,
    rep,
    email,
    role,
    team,
    branch,
    is_active
from users
