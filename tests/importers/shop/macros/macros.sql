{% macro cents_to_amount(column) %}cast({{ column }} / 100.0 as decimal(18, 2)){% endmacro %}

{% macro full_name(relation) -%}
    {{ relation }}.first_name || ' ' || {{ relation }}.last_name
{%- endmacro %}

{% test is_lower(model, column_name) %}
select {{ column_name }} from {{ model }} where lower({{ column_name }}) <> {{ column_name }}
{% endtest %}

{% test expression_in_a_macro(model) %}
select 1 from {{ model }} where amount < 0
{% endtest %}
