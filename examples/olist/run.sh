#!/usr/bin/env bash
# From the three CSV files of the Olist marketing funnel to revenue by channel: run.sh FOLDER_OF_THE_CSVS [WORKSPACE]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=$1
workspace=${2:-olist}

mkdir -p "$workspace"
cp "$here/tieback.toml" "$workspace/"
tieback -w "$workspace" import events --map "$here/leads.toml" "$data/olist_marketing_qualified_leads_dataset.csv"
tieback -w "$workspace" import deals --map "$here/closed_deals.toml" "$data/olist_closed_deals_dataset.csv"
tieback -w "$workspace" import orders --map "$here/revenue.toml" "$data/olist_deal_revenue_90d.csv"
tieback -w "$workspace" run
tieback -w "$workspace" report --by channel --model first_touch
tieback -w "$workspace" reconcile
