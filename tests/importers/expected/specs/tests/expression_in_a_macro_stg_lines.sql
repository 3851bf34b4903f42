select 1 from {{ ref('stg_lines') }} where amount < 0
